import { useMemo } from 'react';
import { css } from '@emotion/css';
import { GrafanaTheme2, LoadingState, PanelProps } from '@grafana/data';
import { Icon, useStyles2, useTheme2 } from '@grafana/ui';
import { Ladder } from '../ladder/Ladder';
import { TimeMode } from '../ladder/time';
import { framesToFlow } from './frames';
import { ladderTheme } from './theme';

export interface PanelOptions {
  timeMode: TimeMode;
  showSummary: boolean;
  showFindings: boolean;
  showMedia: boolean;
  showEvents: boolean;
  hideCopies: boolean;
  hideOptions: boolean;
  gapSeconds: number;
}

export const defaultPanelOptions: PanelOptions = {
  timeMode: 'offset',
  showSummary: true,
  showFindings: true,
  showMedia: true,
  showEvents: true,
  hideCopies: false,
  hideOptions: false,
  gapSeconds: 3,
};

/** The ladder as a Grafana panel. */
export function LadderPanel({ data, options, width, height, timeZone }: PanelProps<PanelOptions>) {
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const tokens = useMemo(() => ladderTheme(theme), [theme]);
  const result = useMemo(() => framesToFlow(data.series), [data.series]);
  const o = { ...defaultPanelOptions, ...options };

  if (result.kind === 'flow') {
    return (
      <Ladder
        key={result.flow.items[0].call_id}
        flow={result.flow}
        theme={tokens}
        width={width}
        height={height}
        options={{
          timeMode: o.timeMode,
          summary: o.showSummary,
          findings: o.showFindings,
          timeZone,
          filter: {
            showMedia: o.showMedia,
            showEvents: o.showEvents,
            hideCopies: o.hideCopies,
            hideOptions: o.hideOptions,
            gapSeconds: o.gapSeconds,
          },
        }}
      />
    );
  }
  const notice = data.series.flatMap((f) => f.meta?.notices ?? []).map((n) => n.text)[0];
  if (data.state === LoadingState.Loading || data.state === LoadingState.NotStarted) {
    return <div className={styles.state} style={{ width, height }} data-testid="ladder-loading" />;
  }
  return (
    <div className={styles.state} style={{ width, height }} data-testid="ladder-state">
      <Icon name={result.kind === 'empty' ? 'search' : 'exclamation-triangle'} size="xl" />
      {result.kind === 'empty' ? (
        <>
          <h5>No call to show</h5>
          <p>
            {notice ??
              'No message has the Call-ID asked for, or none was asked for. A Call-ID is compared whole, with upper and lower case.'}
          </p>
        </>
      ) : (
        <>
          <h5>This is not a call flow</h5>
          <p>
            The ladder draws what a heplake query of type <b>Flow</b> returns. A table of another query works too when it
            has <code>time</code>, <code>src</code> and <code>dst</code> (or <code>src_ip</code>, <code>src_port</code>,{' '}
            <code>dst_ip</code>, <code>dst_port</code>), and best also <code>method</code>, <code>status</code>,{' '}
            <code>reason</code>, <code>call_id</code>, <code>cseq</code>, <code>cseq_method</code> and <code>raw</code>.
          </p>
          <p>
            Missing: <code>{result.missing.join(', ')}</code>. Found: <code>{result.found.slice(0, 12).join(', ')}</code>.
          </p>
        </>
      )}
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  state: css({
    display: 'flex',
    flexDirection: 'column',
    alignItems: 'center',
    justifyContent: 'center',
    textAlign: 'center',
    gap: theme.spacing(0.5),
    padding: theme.spacing(2),
    overflow: 'auto',
    color: theme.colors.text.secondary,
    p: { maxWidth: 640, margin: 0 },
    h5: { color: theme.colors.text.primary, margin: 0 },
  }),
});
