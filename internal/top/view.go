package top

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
)

// Screen says what a frame is drawn on.
type Screen struct {
	// Width and Height in cells; 0 is no limit: a pipe or a file.
	Width, Height int
	Color, ASCII  bool
	Zone          *time.Location
}

// view draws one frame.
type view struct {
	Screen
	*Frame
	lines []string
}

// Render draws the frame as lines of at most the screen's width. What has no
// room below is left out from the end: agents first.
func Render(f *Frame, url string, s Screen) string {
	v := &view{Screen: s, Frame: f}
	v.header(url)
	v.totals()
	v.losses()
	v.tables()
	v.waits()
	v.agents()
	return strings.Join(v.lines, "\n")
}

func (v *view) add(lines ...string) { v.lines = append(v.lines, lines...) }

// spread puts one text at the left and one at the right edge.
func (v *view) spread(left, right string, style termtext.Style) {
	room := v.Width - termtext.Width(left) - gap
	if v.Width == 0 {
		v.add(v.paint(left, termtext.Bold) + strings.Repeat(" ", gap) + v.paint(right, style))
		return
	}
	right = v.fit(right, room)
	pad := strings.Repeat(" ", max(0, v.Width-termtext.Width(left)-termtext.Width(right)))
	v.add(strings.TrimRight(v.paint(v.fit(left, v.Width), termtext.Bold)+pad+v.paint(right, style), " "))
}

func (v *view) header(url string) {
	zone := v.Zone
	if zone == nil {
		zone = time.UTC
	}
	parts := []string{v.At.In(zone).Format(time.TimeOnly)}
	if v.Over > 0 {
		parts = append(parts, "rates over "+ageText(v.Over))
	}
	if !v.Started.IsZero() {
		parts = append(parts, "up "+ageText(v.At.Sub(v.Started)))
	}
	v.spread("heplake top", strings.Join(append(parts, url), v.sep()), termtext.Dim)
}

func (v *view) sep() string {
	if v.ASCII {
		return ", "
	}
	return " · "
}

// fact is a name, a value and a style for it.
type fact struct {
	name, value string
	style       termtext.Style
}

// facts writes names and values one behind the other, on as many lines as they need.
func (v *view) facts(title string, facts []fact) {
	const indent = 11
	line, width := v.paint(title, termtext.Bold)+strings.Repeat(" ", max(1, indent-len(title))), indent
	begun := false
	for _, f := range facts {
		n := len(f.name) + 1 + termtext.Width(f.value)
		if begun && v.Width > 0 && width+3+n > v.Width {
			v.add(line)
			line, width, begun = strings.Repeat(" ", indent), indent, false
		}
		if begun {
			line, width = line+"   ", width+3
		}
		line += v.paint(f.name, termtext.Dim) + " " + v.paint(f.value, f.style)
		width += n
		begun = true
	}
	v.add(line)
}

// alarm is the style of what should be 0.
func alarm(v float64) termtext.Style {
	if v > 0 {
		return termtext.RedBold
	}
	return termtext.Plain
}

func (v *view) totals() {
	v.add("")
	v.facts("packets/s", []fact{
		{"received", rateText(v.ReceivedRate), termtext.Bold}, {"stored", rateText(v.StoredRate), termtext.Plain},
		{"dropped", rateText(v.DroppedRate), alarm(v.DroppedRate)}, {"undecodable", rateText(v.UndecodableRate), termtext.Plain},
	})
	v.facts("in all", []fact{
		{"received", countText(total(v.Received)), termtext.Plain}, {"stored", countText(v.Stored), termtext.Plain},
		{"dropped", countText(total(v.Dropped)), alarm(total(v.Dropped))}, {"waiting", countText(v.Waiting), termtext.Plain},
	})
	if len(v.Trend) > 1 && v.Width > 0 {
		v.add(v.paint("trend", termtext.Bold) + strings.Repeat(" ", 6) + v.paint(v.sparkline(v.Trend, v.Width-11), termtext.Cyan))
	}
}

func (v *view) losses() {
	if len(v.Losses) == 0 {
		return
	}
	rows := make([][]cell, 0, len(v.Losses))
	for _, l := range v.Losses {
		style := termtext.Plain
		if l.Rate > 0 {
			style = termtext.RedBold
		}
		rows = append(rows, []cell{{v.clean(l.Stage), style}, {v.clean(l.Reason), style}, {rateText(l.Rate), style}, {countText(l.Total), style}, {meaning[l.Loss], termtext.Dim}})
	}
	v.add("")
	v.add(v.grid([]gridColumn{{title: "DROPPED AT", left: true}, {title: "REASON", left: true, least: 8}, {title: "/S"}, {title: "PACKETS"}, {title: "WHAT HELPS", left: true, rank: 1}}, rows, v.Width)...)
}

// meaning says of the usual losses what helps.
var meaning = map[Loss]string{
	{"listen", "kernel_buffer"}: "a larger hep.buffer, more hep.workers",
	{"spool", "full"}:           "ClickHouse keeps up, or a larger spool.max",
	{"spool", "evicted"}:        "ClickHouse keeps up, or a larger spool.max",
	{"spool", "stop"}:           "a disk that takes the spool",
	{"spool", "corrupt"}:        "see dead/ in the spool's folder",
	{"insert", "rejected"}:      "see dead/rejected.jsonl in the spool's folder",
}

func (v *view) tables() {
	rows := make([][]cell, 0, len(v.Tables))
	for _, t := range v.Tables {
		slow := termtext.Plain
		if t.QueryableP99 > 5 {
			slow = termtext.Yellow
		}
		rows = append(rows, []cell{
			{v.clean(t.Name), termtext.Bold}, {rateText(t.StoredRate), ""}, {rateText(t.DroppedRate), alarm(t.DroppedRate)},
			{secondsText(t.QueryableP50), ""}, {secondsText(t.QueryableP99), slow}, {secondsText(t.InsertP50), ""}, {secondsText(t.InsertP99), ""},
			{rateText(t.BatchRate), ""}, {countText(t.RowsPerBatch), ""}, {shareText(t.Fill), ""}, {countText(t.OpenRows), ""}, {countText(t.StoredRows), ""}, {countText(t.LostTotal), alarm(t.LostTotal)},
		})
	}
	v.add("")
	v.add(v.grid([]gridColumn{
		{title: "TABLE", left: true}, {title: "ROWS/S"}, {title: "LOST/S", rank: 2},
		{title: "QUERYABLE P50"}, {title: "P99"}, {title: "INSERT P50", rank: 1}, {title: "P99", rank: 3},
		{title: "BATCHES/S", rank: 4}, {title: "ROWS EACH", rank: 6}, {title: "FILL", rank: 5}, {title: "OPEN", rank: 7}, {title: "STORED", rank: 8}, {title: "LOST", rank: 9},
	}, rows, v.Width)...)
}

// waits tells of spool, queues and sockets.
func (v *view) waits() {
	v.add("")
	disk := fact{"disk", bytesText(v.SpoolDisk), termtext.Plain}
	if v.DiskRefuses {
		disk.value, disk.style = disk.value+", refuses", termtext.RedBold
	}
	oldest := fact{"oldest", none, termtext.Plain}
	if v.SpoolBatches > 0 {
		oldest.value = ageText(v.SpoolOldest)
		if v.SpoolOldest > 30*time.Second {
			oldest.style = termtext.Yellow
		}
	}
	v.facts("spool", []fact{disk, {"memory", bytesText(v.SpoolMemory), ""}, {"batches", countText(v.SpoolBatches), ""}, oldest, {"disk free", bytesText(v.DiskFree), ""}})
	queues := make([]fact, 0, 4)
	for _, name := range slices.Sorted(maps.Keys(v.Queue)) {
		f := fact{name, countText(v.Queue[name]) + "/" + countText(v.QueueCapacity[name]), termtext.Plain}
		if name == "seal" && v.Queue[name] > 0 && v.Queue[name] >= v.QueueCapacity[name] {
			f.style = termtext.Yellow
		}
		queues = append(queues, f)
	}
	queues = append(queues, fact{"insert failures/s", rateText(v.FailureRate), alarm(v.FailureRate)}, fact{"engine restarts", countText(v.Restarts), alarm(v.Restarts)})
	v.facts("queues", queues)
	sockets := make([]fact, 0, 4)
	kernel := 0.0
	for _, l := range v.Losses {
		if l.Loss == (Loss{"listen", "kernel_buffer"}) {
			kernel = l.Rate
			if math.IsNaN(kernel) {
				kernel = 0
			}
		}
	}
	if v.BufferAsked > 0 {
		buffer := fact{"UDP buffer", bytesText(v.BufferGranted), termtext.Plain}
		if v.BufferGranted < v.BufferAsked {
			buffer.value, buffer.style = buffer.value+" of "+bytesText(v.BufferAsked)+" asked", termtext.Yellow
		}
		sockets = append(sockets, buffer, fact{"kernel drops/s", rateText(kernel), alarm(kernel)})
	}
	for _, transport := range slices.Sorted(maps.Keys(v.Connections)) {
		sockets = append(sockets, fact{transport, countText(v.Connections[transport]) + " open", termtext.Plain})
	}
	if len(sockets) > 0 {
		v.facts("sockets", sockets)
	}
}

// leastAgents are shown on however low a screen.
const leastAgents = 1

func (v *view) agents() {
	if len(v.Agents) == 0 {
		v.add("", v.paint("no agent has sent anything yet", termtext.Dim))
		return
	}
	show := v.Agents
	if v.Height > 0 {
		// The blank line, the titles, and the line that counts the rest.
		show = show[:min(len(show), max(leastAgents, v.Height-len(v.lines)-3))]
	}
	rows := make([][]cell, 0, len(show))
	for _, a := range show {
		seen, style := v.At.Sub(a.LastSeen), termtext.Plain
		state := cell{"", termtext.Plain}
		if a.Silent {
			state, style = cell{"SILENT", termtext.YellowBold}, termtext.Yellow
		}
		skew := cell{none, termtext.Plain}
		if a.Timed {
			skew.text = skewText(a.Skew)
			if a.Skew > time.Second || a.Skew < -time.Second {
				skew.style = termtext.Yellow
			}
		}
		node := v.clean(a.Node)
		if node == "" {
			node = none
		}
		rows = append(rows, []cell{
			{node, style}, {a.ID, ""}, {v.clean(a.Address), ""}, {rateText(a.Rate), ""}, {ageText(seen) + " ago", style}, skew,
			{countText(a.Undecodable), ""}, {countText(a.Packets), ""}, state,
		})
	}
	v.add("")
	v.add(v.grid([]gridColumn{
		{title: "AGENT", left: true, least: 6}, {title: "ID", rank: 2}, {title: "ADDRESS", left: true, least: 7}, {title: "/S"}, {title: "SEEN"}, {title: "SKEW", rank: 1},
		{title: "BAD", rank: 3}, {title: "PACKETS", rank: 4}, {title: "", left: true},
	}, rows, v.Width)...)
	if n := len(v.Agents) - len(show); n > 0 {
		v.add(v.paint(fmt.Sprintf("and %d more", n), termtext.Dim))
	}
}

// clean makes a name from the wire safe to show.
func (v *view) clean(s string) string {
	s = termtext.Clean(s)
	if v.ASCII {
		s = termtext.ASCII(s)
	}
	return s
}
