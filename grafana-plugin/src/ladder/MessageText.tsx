import { CSSProperties, Fragment, memo, useMemo } from 'react';
import { diffLines, DiffLine, splitLines } from './diff';
import { highlight, prettyPrint, Token } from './highlight';
import { LadderTheme } from './theme';

function codeStyle(theme: LadderTheme): CSSProperties {
  return {
    margin: 0,
    padding: '6px 12px 14px',
    fontFamily: theme.fontMono,
    fontSize: 12,
    lineHeight: 1.5,
    whiteSpace: 'pre-wrap',
    overflowWrap: 'anywhere',
    tabSize: 4,
    background: 'transparent',
    border: 'none',
    color: theme.code.value,
    wordBreak: 'normal',
  };
}

function tokenStyle(theme: LadderTheme, token: Token, first: boolean): CSSProperties {
  switch (token.kind) {
    case 'failure':
      return { color: theme.error, fontWeight: 700 };
    case 'success':
      return { color: theme.success, fontWeight: 600 };
    case 'method':
      return { color: theme.code.method, fontWeight: first ? 700 : 400 };
    default:
      return { color: theme.code[token.kind] };
  }
}

/** A payload with its syntax coloured; JSON is laid out over several lines. */
export const MessageText = memo(function MessageText({ raw, theme }: { raw: string; theme: LadderTheme }) {
  const lines = useMemo(() => {
    const { language, text } = prettyPrint(raw);
    return highlight(splitLines(text), language);
  }, [raw]);
  if (raw === '') {
    return <div style={{ padding: 12, color: theme.textMuted }}>The message text is not in this result.</div>;
  }
  return (
    <pre className="hpl-code" tabIndex={0} style={codeStyle(theme)} data-testid="ladder-raw">
      {lines.map((tokens, i) => (
        <Fragment key={i}>
          {tokens.map((token, j) => (
            <span key={j} style={tokenStyle(theme, token, i === 0)}>
              {token.text}
            </span>
          ))}
          {'\n'}
        </Fragment>
      ))}
    </pre>
  );
});

/** What changed from one payload to another, whole lines and the words within them. */
export const MessageDiff = memo(function MessageDiff({ before, after, theme }: { before: string; after: string; theme: LadderTheme }) {
  const lines = useMemo(() => diffLines(prettyPrint(before).text, prettyPrint(after).text), [before, after]);
  if (lines.every((l) => l.kind === 'same')) {
    return <div style={{ padding: 12, color: theme.textMuted }}>Byte for byte the same.</div>;
  }
  return (
    <pre className="hpl-code" tabIndex={0} style={{ ...codeStyle(theme), padding: '2px 0 14px' }} data-testid="ladder-diff">
      {lines.map((line, i) => (
        <Line key={i} line={line} theme={theme} />
      ))}
    </pre>
  );
});

function Line({ line, theme }: { line: DiffLine; theme: LadderTheme }) {
  const added = line.kind === 'added';
  const same = line.kind === 'same';
  return (
    <div
      data-diff={line.kind}
      style={{
        padding: '0 12px 0 26px',
        textIndent: -14,
        color: same ? theme.textMuted : theme.text,
        background: same ? undefined : added ? theme.addedTint : theme.removedTint,
      }}
    >
      <span style={{ display: 'inline-block', width: 14, textIndent: 0, userSelect: 'none', color: added ? theme.success : theme.error }}>
        {same ? '' : added ? '+' : '−'}
      </span>
      {line.spans.map((span, i) => (
        <span
          key={i}
          style={span.changed ? { background: added ? theme.addedMark : theme.removedMark, borderRadius: 2 } : undefined}
        >
          {span.text}
        </span>
      ))}
      {'\n'}
    </div>
  );
}
