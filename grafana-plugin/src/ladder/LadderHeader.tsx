import { memo } from 'react';
import { Layout } from './layout';
import { fitMono, fitSans, monoWidth } from './measure';
import { LadderTheme } from './theme';

const hostSize = 12;
const smallSize = 11;

export function headerHeight(layout: Layout): number {
  return layout.columns.some((c) => c.name || c.mediaOnly) ? 56 : 42;
}

/** The columns' heads: a box per host with a cell for each of its ports. */
export const LadderHeader = memo(function LadderHeader({ layout, theme }: { layout: Layout; theme: LadderTheme }) {
  const height = headerHeight(layout);
  /** A host with a name shows its addresses where others show their ports. */
  const aliased = (column: number) => layout.columns[column].host !== layout.columns[column].ip;
  return (
    <svg width={layout.width} height={height} style={{ display: 'block' }} role="group" aria-label="Participants">
      {layout.groups.map((g) => {
        const left = g.left + 3;
        const width = g.right - g.left - 6;
        return (
          <g key={g.first}>
            <rect x={left} y={4} width={width} height={height - 8} rx={5} fill={theme.raised} stroke={theme.border} />
            <text
              x={(g.left + g.right) / 2}
              y={18.5}
              textAnchor="middle"
              fontFamily={aliased(g.first) ? theme.fontSans : theme.fontMono}
              fontSize={hostSize}
              fontWeight={600}
              fill={theme.text}
            >
              {aliased(g.first) ? fitSans(g.host, hostSize, width - 8) : fitMono(g.host, hostSize, width - 8)}
            </text>
            {g.last > g.first && (
              <line x1={left} x2={left + width} y1={24} y2={24} stroke={theme.border} />
            )}
          </g>
        );
      })}
      {layout.columns.map((c, i) => {
        const inner = layout.groups.some((g) => g.first < i && i <= g.last);
        const room = layout.columnWidth - 14;
        const ports = aliased(i) ? listText(c.addresses, room) : listText(c.ports.filter((p) => p > 0).map((p) => `:${p}`), room);
        const title = [aliased(i) ? c.host : '', ...c.addresses, c.name].filter(Boolean).join('\n');
        return (
          <g key={`${c.host} ${c.key}`} data-testid={`ladder-column-${i}`}>
            <title>{title}</title>
            {inner && (
              <line
                x1={c.x - layout.columnWidth / 2}
                x2={c.x - layout.columnWidth / 2}
                y1={24}
                y2={height - 4}
                stroke={theme.border}
              />
            )}
            <text x={c.x} y={34} textAnchor="middle" fontFamily={theme.fontMono} fontSize={smallSize} fill={theme.textMuted}>
              {ports}
            </text>
            <text x={c.x} y={47} textAnchor="middle" fontFamily={theme.fontSans} fontSize={smallSize} fill={theme.textMuted}>
              {fitSans(c.name || (c.mediaOnly ? 'media' : ''), smallSize, layout.columnWidth - 14)}
            </text>
            <rect x={c.x - layout.columnWidth / 2} y={0} width={layout.columnWidth} height={height} fill="transparent" />
          </g>
        );
      })}
    </svg>
  );
});

/** ":5060", ":5060 :5061", or ":5060 +7" when there is no room for all. */
function listText(all: string[], width: number): string {
  for (let n = all.length; n > 0; n--) {
    const text = all.slice(0, n).join(' ') + (n < all.length ? ` +${all.length - n}` : '');
    if (monoWidth(text, smallSize) <= width) {
      return text;
    }
  }
  return fitMono(all[0] ?? '', smallSize, width);
}
