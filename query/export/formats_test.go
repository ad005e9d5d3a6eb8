package export_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/heplake/heplake/query/export"
)

func TestFileNamesAreSafe(t *testing.T) {
	f, _ := export.FormatOf("sipp")
	for in, want := range map[string]string{
		"1-16637@127.0.0.1":            "1-16637@127.0.0.1.sipp.tar",
		"../../etc/passwd":             "etc_passwd.sipp.tar",
		"a\r\nX: y\"; b":               "a__X__y___b.sipp.tar",
		"":                             "call.sipp.tar",
		"...":                          "call.sipp.tar",
		"-rf":                          "rf.sipp.tar",
		"Zoë":                          "Zo.sipp.tar",
		strings.Repeat("x", 300) + ".": strings.Repeat("x", 64) + ".sipp.tar",
	} {
		if got := f.FileName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFindLeg(t *testing.T) {
	f := realFlows(t, "kamailio-hep3-two-legs-topoh-xcid-a")[0]
	for name, want := range map[string]int{"": 0, "A": 0, "b": 1, f.Legs[1].CallID: 1} {
		if leg, ok := export.FindLeg(f, name); leg != want || !ok {
			t.Errorf("%q is leg %d, %v", name, leg, ok)
		}
	}
	if _, ok := export.FindLeg(f, "Z"); ok {
		t.Error("there is a leg Z")
	}
}

// Every format writes a call, and those that say so several.
func TestEveryFormatWrites(t *testing.T) {
	flows := realFlows(t, "kamailio-hep3-two-legs-topoh-xcid-a")[:2]
	begins := map[string]string{
		"pcap": "\xd4\xc3\xb2\xa1", "pcapng": "\x0a\x0d\x0d\x0a", "text": "✓", "json": `{"format":"heplake-call"`, "sipp": "README", "svg": "<svg ", "html": "<!DOCTYPE html>",
	}
	for _, f := range export.Formats() {
		var one, two bytes.Buffer
		if err := f.Write(&one, export.Options{}, flows[0]); err != nil || !strings.HasPrefix(one.String(), begins[f.Name]) {
			t.Errorf("%s: %v, begins %.20q", f.Name, err, one.String())
		}
		err := f.Write(&two, export.Options{}, flows...)
		if f.Bulk != (err == nil) || f.Bulk && two.Len() < one.Len()*3/2 {
			t.Errorf("%s of two calls: %v, %d bytes", f.Name, err, two.Len())
		}
	}
}
