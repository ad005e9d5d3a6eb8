import { Component, ReactNode } from 'react';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { CodeEditor, TextArea, useStyles2 } from '@grafana/ui';

interface Props {
  value: string;
  onChange: (sql: string) => void;
  onRun: () => void;
}

/** SQL with its macros explained. Where the code editor cannot load, a plain text field does. */
export function SqlEditor({ value, onChange, onRun }: Props) {
  const styles = useStyles2(getStyles);
  const commit = (sql: string) => {
    if (sql !== value) {
      onChange(sql);
    }
    onRun();
  };
  const plain = (
    <TextArea
      aria-label="SQL"
      rows={10}
      defaultValue={value}
      spellCheck={false}
      className={styles.mono}
      onBlur={(e) => commit(e.currentTarget.value)}
    />
  );
  return (
    <div data-testid="heplake-sql">
      <OrElse fallback={plain}>
        <CodeEditor
          value={value}
          language="sql"
          height={190}
          showMiniMap={false}
          showLineNumbers
          monacoOptions={{ scrollBeyondLastLine: false, wordWrap: 'on', padding: { top: 6 } }}
          onBlur={commit}
          onSave={commit}
        />
      </OrElse>
      <div className={styles.help}>
        <code>$__timeFilter(time)</code> the time range, <code>$__interval_s</code> the width of a step in seconds,{' '}
        <code>$__fromTime</code> and <code>$__toTime</code> its ends. Tables: <code>sip</code>, <code>media</code>,{' '}
        <code>events</code>, <code>calls</code>. Ctrl+S runs it.
      </div>
    </div>
  );
}

/** Shows the fallback when what it holds fails to render. */
class OrElse extends Component<{ fallback: ReactNode; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? this.props.fallback : this.props.children;
  }
}

const getStyles = (theme: GrafanaTheme2) => ({
  mono: css({ fontFamily: theme.typography.fontFamilyMonospace, fontSize: theme.typography.bodySmall.fontSize }),
  help: css({ paddingTop: theme.spacing(0.5), color: theme.colors.text.secondary, ...theme.typography.bodySmall, code: { border: 'none', padding: 0, background: 'none', color: theme.colors.text.primary } }),
});
