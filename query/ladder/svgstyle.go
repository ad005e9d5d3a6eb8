package ladder

import (
	"fmt"
	"strings"
)

// palette is the colours of one theme.
type palette struct {
	paper, panel, ink, dim, line string
	good, bad, warn, media, on   string // on stands on a filled mark
	legs                         [6]string
}

// The colours keep a contrast of at least 4.5 to 1 against their paper (WCAG
// 2.2, 1.4.3), the lines of the grid excepted.
var (
	light = palette{
		paper: "#ffffff", panel: "#f6f8fa", ink: "#1f2328", dim: "#59636e", line: "#d1d9e0",
		good: "#1a7f37", bad: "#cf222e", warn: "#9a6700", media: "#0e7490", on: "#ffffff",
		legs: [6]string{"#0969da", "#bf3989", "#bc4c00", "#0f766e", "#6639ba", "#7a5c00"},
	}
	dark = palette{
		paper: "#0d1117", panel: "#161b22", ink: "#e6edf3", dim: "#9198a1", line: "#3d444d",
		good: "#3fb950", bad: "#f85149", warn: "#d29922", media: "#39c5cf", on: "#0d1117",
		legs: [6]string{"#58a6ff", "#db61a2", "#f0883e", "#2dd4bf", "#a371f7", "#d4a72c"},
	}
)

// fixedCSS is what does not depend on the theme. Classes: t text, m monospace,
// s small, b bold, l a line, k a mark.
const fixedCSS = `text{font:13px -apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans",Roboto,"DejaVu Sans",sans-serif}
.m{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.s{font-size:11px}.h{font-size:20px;font-weight:600}.b{font-weight:600}
.mid{text-anchor:middle}.end{text-anchor:end}
.w{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}
.l{fill:none;stroke-width:1.5}.again,.copy{stroke-dasharray:6 4}.wire{stroke-dasharray:2 4}
.life{stroke-width:1.5}.gap{stroke-dasharray:2 5}.hit{fill-opacity:0}
`

// rules are the theme's colours. Plain classes, not variables: pictures are
// also opened by programs that know no variables.
func (p *palette) rules() string {
	var b strings.Builder
	fmt.Fprintf(&b, "text{fill:%s}.w{stroke:%s}.paper{fill:%s;stroke:%s}.panel{fill:%s;stroke:%s}", p.ink, p.paper, p.paper, p.line, p.panel, p.line)
	fmt.Fprintf(&b, ".life{stroke:%s}.d{fill:%s}.on{fill:%s}.row:hover .hit{fill:%s;fill-opacity:.12}", p.line, p.dim, p.on, p.dim)
	for _, c := range []struct{ name, color string }{
		{"ink", p.ink}, {"dim", p.dim}, {"good", p.good}, {"bad", p.bad}, {"warn", p.warn}, {"media", p.media},
		{"g0", p.legs[0]}, {"g1", p.legs[1]}, {"g2", p.legs[2]}, {"g3", p.legs[3]}, {"g4", p.legs[4]}, {"g5", p.legs[5]},
	} {
		fmt.Fprintf(&b, ".f-%s{fill:%s}.s-%s{stroke:%s}", c.name, c.color, c.name, c.color)
	}
	b.WriteByte('\n')
	return b.String()
}

func css(t Theme) string {
	switch t {
	case ThemeLight:
		return fixedCSS + light.rules()
	case ThemeDark:
		return fixedCSS + dark.rules()
	}
	return fixedCSS + light.rules() + "@media (prefers-color-scheme:dark){" + strings.TrimSpace(dark.rules()) + "}\n"
}
