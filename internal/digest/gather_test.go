package digest

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// TestGathered: gathered digests say what those written one behind the other say, in
// whatever pieces, order and number they come, and say once what is the same in all.
func TestGathered(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var pieces [][]byte
		// Each message may have gone to any of three builders, at any of several moments.
		builders := make([]Builder, 3)
		flush := func(b *Builder) {
			digests, _ := rows(b)
			if d := digests["c1@a"]; len(d) > 0 {
				pieces = append(pieces, bytes.Clone(d))
			}
			b.Reset()
		}
		for _, m := range call() {
			b := &builders[rng.IntN(3)]
			b.Message(&m)
			if rng.IntN(3) == 0 {
				flush(b)
			}
		}
		for _, r := range reports() {
			builders[rng.IntN(3)].Report([]byte("c1@a"), &r)
		}
		for i := range builders {
			flush(&builders[i])
		}
		for range rng.IntN(3) {
			pieces = append(pieces, pieces[rng.IntN(len(pieces))])
		}
		rng.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		var g Gathered
		var all []byte
		for _, p := range pieces {
			g.Add(p)
			all = append(all, p...)
		}
		want := decode(t, all)
		if got := decode(t, g.Data); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: gathered %+v\nwant %+v", seed, got, want)
		}
		once := len(g.Data)
		most := 0 // of a second time: messages and reports, and what their times count from
		for _, p := range pieces {
			g.Add(p)
			most += countEvents(p)*(1+eventSize) + countRecords(p, recordReport)*(1+reportSize) + countRecords(p, recordBase)*baseSize
		}
		if got := decode(t, g.Data); !reflect.DeepEqual(got, want) || len(g.Data)-once > most {
			t.Fatalf("seed %d: %d bytes more after adding all again, want at most %d", seed, len(g.Data)-once, most)
		}
		// What is cut off leaves a digest that stands by itself.
		for _, p := range pieces {
			from := len(g.Data)
			g.AddApart(p)
			g.Add(pieces[0])
			g.Cut(from)
			if got, want := decode(t, g.Data), decode(t, slices.Concat(p, pieces[0])); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: cut %+v\nwant %+v", seed, got, want)
			}
			g.Add(p)
			g.Add(pieces[len(pieces)-1])
			if got, want := decode(t, g.Data), decode(t, slices.Concat(p, pieces[0], pieces[len(pieces)-1])); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: after Cut %+v\nwant %+v", seed, got, want)
			}
		}
		g.Reset()
		g.Add(pieces[0])
		if got, want := decode(t, g.Data), decode(t, pieces[0]); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: after Reset %+v\nwant %+v", seed, got, want)
		}
	}
}

// TestGatheredMalformed: what is no digest is left for Decode to refuse.
func TestGatheredMalformed(t *testing.T) {
	var b Builder
	for _, m := range call() {
		b.Message(&m)
	}
	digests, _ := rows(&b)
	whole := digests["c1@a"]
	for cut := range len(whole) {
		var d Decoder
		_, want := d.Decode("t", "c1@a", whole[:cut])
		var g Gathered
		g.Add(whole[:cut])
		if _, err := d.Decode("t", "c1@a", g.Data); (err == nil) != (want == nil) {
			t.Fatalf("of %d bytes: %v, want %v", cut, err, want)
		}
	}
	var g Gathered
	g.Add([]byte{200, 1, 2})
	var d Decoder
	if _, err := d.Decode("t", "c", g.Data); err == nil {
		t.Error("an unknown record is accepted")
	}
}
