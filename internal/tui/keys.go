package tui

import "charm.land/bubbles/v2/key"

func bind(keys []string, shown, does string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(shown, does))
}

// keys are all bindings. Where sngrep has a key for the same thing, it is that.
var keys = struct {
	help, redraw, quit, back, accept, cancel                                  key.Binding
	up, down, pageUp, pageDown, home, end, left, right                        key.Binding
	open, filter, sortLeft, sortRight, reverse, live, refresh, window, more   key.Binding
	choose, chooseAll, chooseNone                                             key.Binding
	save, copyID, mark, decoded, pane, time, find, next, previous             key.Binding
	leg, allLegs, copies, media, events, summary, nextCall, previousCall, why key.Binding
}{
	help:   bind([]string{"f1", "?", "h"}, "F1", "help"),
	redraw: bind([]string{"ctrl+l"}, "Ctrl-L", "draw the screen anew"),
	quit:   bind([]string{"q", "f10"}, "q", "quit"),
	back:   bind([]string{"esc", "q", "backspace"}, "Esc", "back"),
	accept: bind([]string{"enter"}, "Enter", "do it"),
	cancel: bind([]string{"esc"}, "Esc", "leave it"),

	up:       bind([]string{"up", "k"}, "↑ k", "up"),
	down:     bind([]string{"down", "j"}, "↓ j", "down"),
	pageUp:   bind([]string{"pgup", "ctrl+b", "ctrl+u"}, "PgUp", "a page up"),
	pageDown: bind([]string{"pgdown", "ctrl+f", "ctrl+d"}, "PgDn", "a page down"),
	home:     bind([]string{"home", "g"}, "Home g", "to the first"),
	end:      bind([]string{"end", "G"}, "End G", "to the last"),
	left:     bind([]string{"left"}, "←", "the message before"),
	right:    bind([]string{"right"}, "→", "the message after"),

	open:      bind([]string{"enter"}, "Enter", "open"),
	filter:    bind([]string{"/", "f3", "f7"}, "/", "filter"),
	sortLeft:  bind([]string{"<"}, "<", "sort by the column before"),
	sortRight: bind([]string{">"}, ">", "sort by the next column"),
	reverse:   bind([]string{"z"}, "z", "reverse the order"),
	live:      bind([]string{"p"}, "p", "live on/off"),
	refresh:   bind([]string{"f5", "ctrl+r"}, "F5", "ask again"),
	window:    bind([]string{"t"}, "t", "time"),

	more: bind([]string{"+"}, "+", "more calls, when there are more"),

	choose:     bind([]string{"space"}, "Space", "mark"),
	chooseAll:  bind([]string{"a"}, "a", "mark all that are shown"),
	chooseNone: bind([]string{"u"}, "u", "no call marked"),

	save:     bind([]string{"f2", "s"}, "F2", "save"),
	copyID:   bind([]string{"y"}, "y", "copy the Call-ID"),
	mark:     bind([]string{"space"}, "Space", "compare"),
	decoded:  bind([]string{"r"}, "r", "raw/decoded"),
	pane:     bind([]string{"v", "tab"}, "v", "message pane"),
	time:     bind([]string{"t"}, "t", "time column"),
	find:     bind([]string{"/", "f3"}, "/", "find"),
	next:     bind([]string{"n"}, "n", "find the next"),
	previous: bind([]string{"N"}, "N", "find the one before"),

	leg:          bind([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}, "1-9", "leg on/off"),
	allLegs:      bind([]string{"0", "f4"}, "0", "all legs"),
	copies:       bind([]string{"c"}, "c", "copies on/off"),
	media:        bind([]string{"m"}, "m", "media on/off"),
	events:       bind([]string{"e"}, "e", "events on/off"),
	summary:      bind([]string{"i"}, "i", "whole summary"),
	why:          bind([]string{"w"}, "w", "what went wrong"),
	nextCall:     bind([]string{"]"}, "]", "the call below"),
	previousCall: bind([]string{"["}, "[", "the call above"),
}

// keyGroup is a part of the help.
type keyGroup struct {
	title string
	keys  []key.Binding
}

var moving = keyGroup{"Moving", []key.Binding{keys.up, keys.down, keys.pageUp, keys.pageDown, keys.home, keys.end}}

var everywhere = keyGroup{"Everywhere", []key.Binding{keys.help, keys.redraw, bind(nil, "Ctrl-Z", "suspend; fg comes back"), bind(nil, "Ctrl-C", "quit")}}
