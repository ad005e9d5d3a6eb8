package retention

import "time"

// fullDays is how many whole days of the past the forecast looks at.
const fullDays = 7

// Daily is the mean of bytes and rows a day over the last whole days that have
// rows, at most seven; with none, today's so far drawn out to a day.
func (t *Table) Daily(now time.Time) (bytes, rows float64) {
	today := now.UTC().Truncate(24 * time.Hour)
	perDay := map[time.Time][2]float64{}
	for _, p := range t.Parts {
		d := perDay[p.Day.UTC()]
		perDay[p.Day.UTC()] = [2]float64{d[0] + float64(p.Bytes), d[1] + float64(p.Rows)}
	}
	days := 0.0
	for day := today.AddDate(0, 0, -fullDays); day.Before(today); day = day.AddDate(0, 0, 1) {
		if d, ok := perDay[day]; ok {
			bytes, rows, days = bytes+d[0], rows+d[1], days+1
		}
	}
	if days > 0 {
		return bytes / days, rows / days
	}
	share := now.Sub(today).Hours() / 24
	if d, ok := perDay[today]; ok && share > 0 {
		return d[0] / share, d[1] / share
	}
	return 0, 0
}

// Day is one day of a forecast.
type Day struct {
	Day time.Time
	// Bytes that all tables will take at its end.
	Bytes float64
}

// Forecast says what the tables will take at the end of each of the next days, if
// as much comes as on the days before. Rules count as far as Classify was called.
func (h *Holdings) Forecast(days int) []Day {
	today := h.Now.UTC().Truncate(24 * time.Hour)
	// What is still to come today.
	rest := float64(today.AddDate(0, 0, 1).Sub(h.Now)) / float64(24*time.Hour)
	out := make([]Day, days)
	for i := range out {
		out[i].Day = today.AddDate(0, 0, i)
	}
	for n := range h.Tables {
		t := &h.Tables[n]
		daily, _ := t.Daily(h.Now)
		mix := t.mix(today)
		for i := range out {
			end := out[i].Day.AddDate(0, 0, 1)
			for _, p := range t.Parts {
				out[i].Bytes += float64(p.Bytes) * t.staying(h.Policy, p, end)
			}
			for d := range i + 1 {
				share := 1.0
				if d == 0 {
					share = rest
				}
				for _, m := range mix {
					if keep := h.Policy.days(tableNamed(t.Name), m.class); m.held || keep == 0 || i-d < keep {
						out[i].Bytes += daily * share * m.share
					}
				}
			}
		}
	}
	return out
}

// staying is the share of a part that is there at a time. A part of several rules
// shrinks when the rows of one have expired.
func (t *Table) staying(p Policy, part Part, at time.Time) float64 {
	stays := func(class int) bool {
		keep := p.days(tableNamed(t.Name), class)
		return keep == 0 || part.Newest.AddDate(0, 0, keep).After(at)
	}
	shares := t.Shares[part.Day.UTC()]
	var all, left uint64
	for _, s := range shares {
		all += s.Rows
		if s.Held || stays(s.Class) {
			left += s.Rows
		}
	}
	if all > 0 {
		return float64(left) / float64(all)
	}
	if stays(0) {
		return 1
	}
	return 0
}

// classShare is how much of what comes is of a class.
type classShare struct {
	class int
	held  bool
	share float64
}

// mix is what the last whole days were made of, or all days when these have
// nothing.
func (t *Table) mix(today time.Time) []classShare {
	type key struct {
		class int
		held  bool
	}
	for _, from := range []time.Time{today.AddDate(0, 0, -fullDays), {}} {
		sums, all := map[key]uint64{}, uint64(0)
		for day, shares := range t.Shares {
			if day.Before(from) || !day.Before(today) && !from.IsZero() {
				continue
			}
			for _, s := range shares {
				sums[key{s.Class, s.Held}] += s.Rows
				all += s.Rows
			}
		}
		if all == 0 {
			continue
		}
		var out []classShare
		for k, n := range sums {
			out = append(out, classShare{k.class, k.held, float64(n) / float64(all)})
		}
		return out
	}
	return []classShare{{share: 1}}
}
