/** Styles as plain objects, so that the ladder needs no stylesheet of its host. */
import { CSSProperties } from 'react';
import { LadderTheme, legColour } from './theme';
import { Tone } from './model';

export type Styles = ReturnType<typeof makeStyles>;

export function makeStyles(t: LadderTheme) {
  const bar: CSSProperties = {
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'center',
    gap: '4px 8px',
    padding: '5px 10px',
    borderBottom: `1px solid ${t.border}`,
    background: t.surface,
    flex: 'none',
  };
  return {
    root: {
      display: 'flex',
      flexDirection: 'column',
      position: 'relative',
      overflow: 'hidden',
      background: t.background,
      color: t.text,
      fontFamily: t.fontSans,
      fontSize: 12,
      lineHeight: 1.4,
      textAlign: 'left',
    },
    bar,
    summary: { ...bar, gap: '3px 14px', fontSize: 12.5 },
    findings: {
      display: 'flex',
      flexDirection: 'column',
      gap: 3,
      padding: '5px 10px',
      maxHeight: '32%',
      overflow: 'auto',
      fontSize: 12.5,
      borderBottom: `1px solid ${t.border}`,
      background: t.surface,
      flex: 'none',
    },
    spacer: { flex: '1 1 8px' },
    main: { display: 'flex', flex: '1 1 0', minHeight: 0, minWidth: 0, position: 'relative' },
    scroll: { flex: '1 1 0', minWidth: 0, overflow: 'auto', position: 'relative', outline: 'none' },
    header: { position: 'sticky', top: 0, zIndex: 3, background: t.surface, borderBottom: `1px solid ${t.border}` },
    corner: { position: 'sticky', left: 0, zIndex: 1, background: t.surface, display: 'block' },
    gutter: { position: 'sticky', left: 0, zIndex: 2, display: 'block', background: t.background },
    empty: {
      flex: '1 1 0',
      display: 'flex',
      flexDirection: 'column',
      gap: 6,
      alignItems: 'center',
      justifyContent: 'center',
      padding: 24,
      textAlign: 'center',
      color: t.textMuted,
    },
    button: {
      font: 'inherit',
      color: t.text,
      background: 'transparent',
      border: `1px solid ${t.border}`,
      borderRadius: 4,
      height: 24,
      padding: '0 8px',
      cursor: 'pointer',
      display: 'inline-flex',
      alignItems: 'center',
      gap: 5,
      whiteSpace: 'nowrap',
    },
    segment: { display: 'inline-flex', border: `1px solid ${t.border}`, borderRadius: 4, overflow: 'hidden', height: 24 },
    muted: { color: t.textMuted },
    mono: { fontFamily: t.fontMono },
    notice: {
      display: 'flex',
      alignItems: 'center',
      gap: 8,
      padding: '4px 10px',
      color: t.warning,
      borderBottom: `1px solid ${t.border}`,
      background: t.surface,
      flex: 'none',
    },
  } satisfies Record<string, CSSProperties>;
}

/** The few rules that need a selector: hover and keyboard focus. */
export function sheet(t: LadderTheme): string {
  return `
.hpl-btn:hover{background:${t.hover}}
.hpl-btn:disabled{opacity:.4;cursor:default}
.hpl-btn:focus-visible,.hpl-code:focus-visible{outline:2px solid ${t.focus};outline-offset:1px}
.hpl-msg{cursor:pointer;outline:none}
.hpl-msg:focus-visible .hpl-focus{stroke:${t.focus}}
.hpl-root *{box-sizing:border-box}
`;
}

/** Colour and weight of a label by how the item went. */
export function toneStyle(t: LadderTheme, tone: Tone): { colour: string; weight: number } {
  switch (tone) {
    case 'request':
      return { colour: t.text, weight: 600 };
    case 'provisional':
      return { colour: t.textMuted, weight: 400 };
    case 'success':
      return { colour: t.success, weight: 500 };
    case 'redirect':
    case 'challenge':
      return { colour: t.warning, weight: 500 };
    case 'failure':
      return { colour: t.error, weight: 700 };
    case 'media':
    case 'event':
      return { colour: t.textMuted, weight: 400 };
  }
}

/** A pressed or unpressed toggle in a leg's colour, or in none. */
export function chip(t: LadderTheme, pressed: boolean, leg = -1): CSSProperties {
  const colour = leg >= 0 ? legColour(t, leg) : t.text;
  return {
    font: 'inherit',
    display: 'inline-flex',
    alignItems: 'center',
    gap: 5,
    height: 24,
    maxWidth: 300,
    padding: '0 8px',
    borderRadius: 12,
    border: `1px solid ${pressed ? (leg >= 0 ? colour : t.lifeline) : t.border}`,
    background: pressed ? t.raised : 'transparent',
    color: pressed ? t.text : t.textFaint,
    textDecoration: pressed ? 'none' : 'line-through',
    cursor: 'pointer',
    whiteSpace: 'nowrap',
  };
}
