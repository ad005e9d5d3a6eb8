import { KeyboardEvent, MouseEvent, UIEvent, useCallback, useEffect, useId, useMemo, useRef, useState } from 'react';
import { Marked, markFindings } from './findings';
import { LadderFindings, severityColour } from './LadderFindings';
import { gutterColumns, LadderGutter } from './LadderGutter';
import { headerHeight, LadderHeader } from './LadderHeader';
import { LadderRows } from './LadderRows';
import { LadderSummary } from './LadderSummary';
import { LadderToolbar, View } from './LadderToolbar';
import { LadderTooltip } from './LadderTooltip';
import { defaultFilter, defaultSize, layout as makeLayout, LadderFilter, Layout, MessageRow, rowAt, windowOf } from './layout';
import { MessageDrawer } from './MessageDrawer';
import { Flow, sameTransaction } from './model';
import { makeStyles, sheet } from './styles';
import { darkTheme, LadderTheme, legColour } from './theme';
import { TimeMode } from './time';

/** How the ladder starts; the viewer can change most of it in the toolbar. */
export interface LadderOptions {
  timeMode?: TimeMode;
  filter?: Partial<Omit<LadderFilter, 'hiddenLegs'>>;
  /** Show the call's summary line above the toolbar. */
  summary?: boolean;
  /** Show what was found, and number the messages that show it. */
  findings?: boolean;
  /** IANA zone, "utc" or "browser". */
  timeZone?: string;
}

export interface LadderProps {
  flow: Flow;
  theme?: LadderTheme;
  width: number;
  height: number;
  options?: LadderOptions;
  /** Index of the open message. Leave it out and the ladder keeps it itself. */
  selected?: number | null;
  onSelect?: (index: number | null) => void;
}

/** Beyond this many rows only those in sight are drawn. */
const virtualFrom = 500;
const margin = 600;

/** A call's messages as a ladder, with a drawer for the one chosen. */
export function Ladder({ flow, theme = darkTheme, width, height, options = {}, selected: controlled, onSelect }: LadderProps) {
  const styles = useMemo(() => makeStyles(theme), [theme]);
  const timeZone = options.timeZone ?? 'browser';
  const [view, setView] = useView(options);
  const [own, setOwn] = useState<number | null>(null);
  const selected = controlled === undefined ? own : controlled;
  const [active, setActive] = useState<number>(-1);
  const found = useMemo(() => (options.findings === false ? { list: [], at: new Map() } : markFindings(flow)), [flow, options.findings]);
  const [chosen, setChosen] = useState<Marked | null>(null);
  const [hover, setHover] = useState<{ row: MessageRow; x: number; y: number; steady: boolean } | null>(null);
  const [scrolled, setScrolled] = useState({ top: 0, height });
  const root = useRef<HTMLDivElement>(null);
  const scroll = useRef<HTMLDivElement>(null);
  const wantsFocus = useRef(false);
  const steady = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const id = useId();

  // The drawer stands beside the ladder, or below it where there is no room.
  const drawerBeside = width >= 760;
  const drawerWidth = Math.min(620, Math.max(360, Math.round(width * 0.42)));
  const open = selected !== null && selected !== undefined;
  const ladderWidth = width - (open && drawerBeside ? drawerWidth : 0) - 14;
  const gutter = useMemo(
    () => gutterColumns(view.timeMode, flow, ladderWidth, found.at.size > 0),
    [view.timeMode, flow, ladderWidth, found]
  );
  const lay = useMemo(
    () => makeLayout(flow, view.filter, { ...defaultSize, width: Math.max(ladderWidth, 240), gutter: gutter.width, squeeze: view.squeeze }),
    [flow, view, ladderWidth, gutter.width]
  );
  const selectedRow = open ? lay.messages.find((m) => m.item.index === selected) : undefined;
  const tabStop = (lay.messages.find((m) => m.item.index === active) ?? lay.messages[0])?.item.index ?? -1;
  const head = headerHeight(lay);

  const select = useCallback(
    (index: number | null) => {
      setOwn(index);
      onSelect?.(index);
      if (index !== null) {
        setActive(index);
      }
    },
    [onSelect]
  );
  const toggle = useCallback((index: number) => select(index === selected ? null : index), [select, selected]);

  /** Brings a message that a finding names into sight, whatever the viewer left out. */
  const bring = (index: number) => {
    if (!lay.messages.some((m) => m.item.index === index)) {
      setView({
        ...view,
        filter: { ...view.filter, showMedia: true, showEvents: true, hideCopies: false, hideOptions: false, hiddenLegs: new Set() },
      });
    }
    setActive(index);
  };
  const choose = (m: Marked) => {
    setChosen(m === chosen ? null : m);
    if (m !== chosen) {
      bring(m.finding.items[0]);
    }
  };

  useEffect(() => () => clearTimeout(steady.current), []);

  // A row reached by key or by the drawer's buttons comes into sight, then takes the focus.
  useEffect(() => {
    const row = lay.messages.find((m) => m.item.index === active);
    if (!row || !scroll.current) {
      return;
    }
    reveal(scroll.current, row, lay, head);
    if (wantsFocus.current) {
      const element = root.current?.querySelector<SVGGElement>(`[data-index="${active}"]`);
      if (element) {
        wantsFocus.current = false;
        element.focus({ preventScroll: true });
      }
    }
  }, [active, lay, head, scrolled]);

  const move = (to: MessageRow | undefined, focus: boolean) => {
    if (!to) {
      return;
    }
    wantsFocus.current = focus;
    setActive(to.item.index);
    if (open) {
      select(to.item.index);
    }
  };

  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key === 'Escape' && open) {
      e.stopPropagation();
      wantsFocus.current = true;
      setActive(selected);
      select(null);
      return;
    }
    if (!(e.target as Element).closest('[data-ladder-rows]') || e.ctrlKey || e.metaKey || e.altKey) {
      return;
    }
    const at = lay.messages.findIndex((m) => m.item.index === tabStop);
    const to = targetOf(e.key, lay.messages, at);
    if (to !== undefined) {
      e.preventDefault();
      move(to, true);
    } else if (e.key === 'Enter' || e.key === ' ') {
      e.preventDefault();
      toggle(tabStop);
    }
  };

  const onMouseMove = (e: MouseEvent) => {
    const box = root.current?.getBoundingClientRect();
    const rows = (e.currentTarget as Element).getBoundingClientRect();
    const row = lay.rows[rowAt(lay.rows, e.clientY - rows.top)];
    if (!box || !row || row.type === 'gap') {
      setHover(null);
      return;
    }
    const point = { row, x: e.clientX - box.left, y: e.clientY - box.top };
    clearTimeout(steady.current);
    setHover((was) => ({ ...point, steady: was?.row === row && was.steady }));
    steady.current = setTimeout(() => setHover((was) => (was ? { ...was, steady: true } : was)), 300);
  };
  const onMouseLeave = () => {
    clearTimeout(steady.current);
    setHover(null);
  };

  const virtual = lay.rows.length > virtualFrom;
  const onScroll = (e: UIEvent<HTMLDivElement>) => {
    setHover(null);
    if (virtual) {
      const { scrollTop, clientHeight } = e.currentTarget;
      setScrolled((was) => (Math.abs(was.top - scrollTop) > margin / 3 ? { top: scrollTop, height: clientHeight } : was));
    }
  };
  const [first, last] = virtual
    ? windowOf(lay.rows, scrolled.top - margin, scrolled.top + Math.max(scrolled.height, height) + margin)
    : [0, lay.rows.length];

  const at = selectedRow ? lay.messages.indexOf(selectedRow) : -1;
  const step = (to: MessageRow | undefined) => (to ? () => move(to, false) : null);
  const compact = height < 300;

  return (
    <div
      ref={root}
      className="hpl-root"
      style={{ ...styles.root, width, height }}
      data-testid="ladder"
      role="region"
      aria-label="Call ladder"
      onKeyDown={onKeyDown}
    >
      <style>{sheet(theme)}</style>
      {options.summary !== false && !compact && <LadderSummary flow={flow} theme={theme} styles={styles} timeZone={timeZone} />}
      {!compact && (
        <LadderFindings
          list={found.list}
          chosen={chosen}
          theme={theme}
          styles={styles}
          onChoose={choose}
          onOpen={(index) => {
            bring(index);
            select(index);
          }}
        />
      )}
      <LadderToolbar flow={flow} layout={lay} view={view} theme={theme} styles={styles} onChange={setView} />
      {flow.truncated && (
        <div style={styles.notice} role="status">
          This ladder is not whole: {flow.truncated}
        </div>
      )}
      <div style={{ ...styles.main, flexDirection: drawerBeside ? 'row' : 'column' }}>
        {lay.messages.length === 0 ? (
          <div style={styles.empty}>
            <b>Nothing to show</b>
            <span>{flow.items.length > 0 ? `All ${flow.items.length} messages are filtered out.` : 'The call has no messages.'}</span>
          </div>
        ) : (
          <div ref={scroll} style={styles.scroll} onScroll={onScroll} data-testid="ladder-scroll" id={id}>
            <div style={{ width: lay.width, position: 'relative' }}>
              <div style={{ ...styles.header, height: head }}>
                <div style={{ ...styles.corner, width: lay.gutter, height: head - 1 }} />
                <div style={{ position: 'absolute', top: 0, left: 0 }}>
                  <LadderHeader layout={lay} theme={theme} />
                </div>
              </div>
              <div
                data-ladder-rows=""
                style={{ position: 'relative', height: lay.height + 12 }}
                onMouseMove={onMouseMove}
                onMouseLeave={onMouseLeave}
              >
                <svg width={lay.width} height={lay.height + 12} style={{ position: 'absolute', left: 0, top: 0, display: 'block' }}>
                  <LadderRows layout={lay} theme={theme} first={first} last={last} tabStop={tabStop} onSelect={toggle} onFocus={setActive} />
                  <Marks layout={lay} theme={theme} selected={selectedRow} hover={hover?.row} chosen={chosen} x={0} width={lay.width} />
                </svg>
                <svg
                  width={lay.gutter}
                  height={lay.height + 12}
                  style={{ ...styles.gutter, cursor: 'pointer' }}
                  onClick={() => hover && toggle(hover.row.item.index)}
                >
                  <LadderGutter layout={lay} columns={gutter} theme={theme} mode={view.timeMode} timeZone={timeZone} findings={found} first={first} last={last} />
                  <Marks layout={lay} theme={theme} selected={selectedRow} hover={hover?.row} chosen={chosen} x={0} width={lay.gutter} transaction />
                </svg>
              </div>
            </div>
          </div>
        )}
        {selectedRow && (
          <MessageDrawer
            flow={flow}
            row={selectedRow}
            found={found.at.get(selectedRow.item.index)}
            theme={theme}
            styles={styles}
            timeZone={timeZone}
            style={
              drawerBeside
                ? { width: drawerWidth, borderLeft: `1px solid ${theme.border}` }
                : { height: '56%', borderTop: `1px solid ${theme.border}` }
            }
            onPrevious={step(lay.messages[at - 1])}
            onNext={step(lay.messages[at + 1])}
            onSelect={(index) => move(lay.messages.find((m) => m.item.index === index), false)}
            onClose={() => select(null)}
          />
        )}
      </div>
      {hover?.steady && hover.row.item.index !== selected && (
        <LadderTooltip row={hover.row} flow={flow} found={found.at.get(hover.row.item.index)} theme={theme} timeZone={timeZone} x={hover.x} y={hover.y} width={width} height={height} />
      )}
    </div>
  );
}

/** The viewer's choices: start from the options, and follow them when they change. */
function useView(options: LadderOptions): [View, (v: View) => void] {
  const wanted = JSON.stringify([options.timeMode, options.filter]);
  const initial = (): View => ({
    timeMode: options.timeMode ?? 'offset',
    squeeze: false,
    filter: { ...defaultFilter, ...options.filter },
  });
  const [state, setState] = useState(() => ({ wanted, view: initial() }));
  if (state.wanted !== wanted) {
    setState({ wanted, view: initial() });
  }
  return [state.view, (view) => setState({ wanted, view })];
}

/** Where a key leads from a message; undefined for keys that mean nothing here. */
function targetOf(key: string, messages: MessageRow[], at: number): MessageRow | undefined {
  const clamp = (i: number) => messages[Math.max(0, Math.min(messages.length - 1, i))];
  const related = (step: 1 | -1) => {
    for (let i = at + step; i >= 0 && i < messages.length; i += step) {
      if (sameTransaction(messages[i].item, messages[at].item)) {
        return messages[i];
      }
    }
    return messages[at];
  };
  switch (key) {
    case 'ArrowDown':
    case 'j':
      return clamp(at + 1);
    case 'ArrowUp':
    case 'k':
      return clamp(at - 1);
    case 'ArrowRight':
      return related(1);
    case 'ArrowLeft':
      return related(-1);
    case 'PageDown':
      return clamp(at + 12);
    case 'PageUp':
      return clamp(at - 12);
    case 'Home':
      return clamp(0);
    case 'End':
      return clamp(messages.length - 1);
    default:
      return undefined;
  }
}

/** Scrolls just enough that a row, and its arrow, can be seen. */
function reveal(box: HTMLElement, row: MessageRow, layout: Layout, head: number) {
  const top = row.y;
  const bottom = row.y + row.height + head + 14;
  if (top < box.scrollTop) {
    box.scrollTop = top;
  } else if (bottom > box.scrollTop + box.clientHeight) {
    box.scrollTop = bottom - box.clientHeight;
  }
  const left = Math.min(row.x1, row.x2) - layout.gutter - layout.columnWidth / 2;
  const right = Math.max(row.x1, row.x2) + layout.columnWidth / 2;
  if (left < box.scrollLeft) {
    box.scrollLeft = left;
  } else if (right > box.scrollLeft + box.clientWidth) {
    box.scrollLeft = Math.min(left, right - box.clientWidth);
  }
}

interface MarksProps {
  layout: Layout;
  theme: LadderTheme;
  selected: MessageRow | undefined;
  hover: MessageRow | undefined;
  chosen: Marked | null;
  x: number;
  width: number;
  transaction?: boolean;
}

/** What lies over the rows, lightly: the open one, its transaction, the one under the pointer, and those that show the chosen finding. */
function Marks({ layout, theme, selected, hover, chosen, x, width, transaction }: MarksProps) {
  return (
    <g pointerEvents="none">
      {chosen &&
        layout.messages
          .filter((m) => chosen.finding.items.includes(m.item.index))
          .map((m) => (
            <rect
              key={m.item.index}
              data-testid={transaction ? undefined : `ladder-shows-${m.item.index}`}
              x={x}
              y={m.y}
              width={width}
              height={m.height}
              fill={severityColour(theme, chosen.finding.severity)}
              opacity={0.16}
            />
          ))}
      {hover && <rect x={x} y={hover.y} width={width} height={hover.height} fill={theme.hover} />}
      {selected && <rect x={x} y={selected.y} width={width} height={selected.height} fill={theme.selected} />}
      {transaction &&
        selected &&
        layout.messages
          .filter((m) => sameTransaction(m.item, selected.item))
          .map((m) => <rect key={m.item.index} x={3} y={m.y} width={3} height={m.height} fill={legColour(theme, m.item.leg)} />)}
    </g>
  );
}
