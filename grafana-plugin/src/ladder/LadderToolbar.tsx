import { Flow, legLetter, linkText } from './model';
import { LadderFilter, Layout } from './layout';
import { chip, Styles } from './styles';
import { LadderTheme, legColour } from './theme';
import { TimeMode } from './time';

export interface View {
  timeMode: TimeMode;
  squeeze: boolean;
  filter: LadderFilter;
}

interface ToolbarProps {
  flow: Flow;
  layout: Layout;
  view: View;
  theme: LadderTheme;
  styles: Styles;
  onChange: (view: View) => void;
}

const timeModes: Array<[TimeMode, string, string]> = [
  ['clock', 'Clock', 'Time of day'],
  ['offset', 'Start', 'Time since the first message'],
  ['delta', 'Delta', 'Time since the message before'],
];

/** Legs with their colours, what to leave out, and how to show times. */
export function LadderToolbar({ flow, layout, view, theme, styles, onChange }: ToolbarProps) {
  const { filter } = view;
  const set = (change: Partial<LadderFilter>) => onChange({ ...view, filter: { ...filter, ...change } });
  const count = (test: (i: Flow['items'][number]) => boolean) => flow.items.reduce((n, i) => n + (test(i) ? 1 : 0), 0);
  const counts = {
    media: count((i) => i.kind === 'media'),
    events: count((i) => i.kind === 'event'),
    options: count((i) => i.kind === 'sip' && (i.cseq_method || i.method) === 'OPTIONS'),
    copies: count((i) => i.copy),
  };
  const toggleLeg = (leg: number) => {
    const hidden = new Set(filter.hiddenLegs);
    if (!hidden.delete(leg)) {
      hidden.add(leg);
    }
    set({ hiddenLegs: hidden });
  };
  const manyPorts = new Set(flow.participants.map((p) => p.ip)).size < flow.participants.length;
  return (
    <div style={styles.bar} role="toolbar" aria-label="Ladder view">
      {flow.legs.map((leg, i) => {
        const shown = !filter.hiddenLegs.has(i);
        const why = linkText(leg) && `\n${linkText(leg)}`;
        return (
          <button
            key={leg.call_id}
            type="button"
            className="hpl-btn"
            style={chip(theme, shown, i)}
            aria-pressed={shown}
            aria-label={`Leg ${legLetter(i)}`}
            data-testid={`ladder-leg-${i}`}
            title={`Leg ${legLetter(i)}: ${leg.call_id}${why}`}
            onClick={() => toggleLeg(i)}
          >
            <b style={{ color: legColour(theme, i) }}>{legLetter(i)}</b>
            <span style={{ ...styles.mono, fontSize: 11, overflow: 'hidden', textOverflow: 'ellipsis', maxWidth: 190 }}>
              {leg.call_id}
            </span>
            <span style={{ color: theme.textMuted }}>{leg.messages || count((m) => m.leg === i)}</span>
          </button>
        );
      })}
      <span style={styles.spacer} />
      <Toggle label="Media" n={counts.media} on={filter.showMedia} theme={theme} onClick={() => set({ showMedia: !filter.showMedia })} />
      <Toggle label="Events" n={counts.events} on={filter.showEvents} theme={theme} onClick={() => set({ showEvents: !filter.showEvents })} />
      <Toggle label="OPTIONS" n={counts.options} on={!filter.hideOptions} theme={theme} onClick={() => set({ hideOptions: !filter.hideOptions })} />
      <Toggle label="Copies" n={counts.copies} on={!filter.hideCopies} theme={theme} onClick={() => set({ hideCopies: !filter.hideCopies })} />
      {manyPorts && (
        <button
          type="button"
          className="hpl-btn"
          style={{ ...styles.button, ...pressed(theme, filter.mergePorts) }}
          aria-pressed={filter.mergePorts}
          title="One column for each host, whatever its ports"
          onClick={() => set({ mergePorts: !filter.mergePorts })}
        >
          Merge ports
        </button>
      )}
      {(layout.overflows || view.squeeze) && (
        <button
          type="button"
          className="hpl-btn"
          style={{ ...styles.button, ...pressed(theme, view.squeeze) }}
          aria-pressed={view.squeeze}
          title="Squeeze all columns into the width"
          onClick={() => onChange({ ...view, squeeze: !view.squeeze })}
        >
          Fit
        </button>
      )}
      <span style={styles.segment} role="group" aria-label="Times">
        {timeModes.map(([mode, label, title], i) => (
          <button
            key={mode}
            type="button"
            className="hpl-btn"
            title={title}
            aria-pressed={view.timeMode === mode}
            style={{
              ...styles.button,
              height: 22,
              border: 'none',
              borderRadius: 0,
              borderLeft: i > 0 ? `1px solid ${theme.border}` : 'none',
              ...pressed(theme, view.timeMode === mode),
            }}
            onClick={() => onChange({ ...view, timeMode: mode })}
          >
            {label}
          </button>
        ))}
      </span>
    </div>
  );
}

function pressed(theme: LadderTheme, on: boolean) {
  return on ? { background: theme.selected, color: theme.text } : { color: theme.textMuted };
}

function Toggle({ label, n, on, theme, onClick }: { label: string; n: number; on: boolean; theme: LadderTheme; onClick: () => void }) {
  if (n === 0) {
    return null;
  }
  return (
    <button
      type="button"
      className="hpl-btn"
      style={chip(theme, on)}
      aria-pressed={on}
      title={on ? `Hide ${label}` : `Show ${label}`}
      onClick={onClick}
    >
      {label} <span style={{ color: theme.textMuted }}>{n}</span>
    </button>
  );
}
