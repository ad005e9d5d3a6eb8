import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { locationService } from '@grafana/runtime';
import { useStyles2 } from '@grafana/ui';
import { MouseEvent, ReactNode } from 'react';

/**
 * A link to a page of the app. Grafana's own link decodes its address, which
 * breaks a Call-ID with a slash or a question mark in it.
 */
export function PageLink({ href, label, children }: { href: string; label?: string; children: ReactNode }) {
  const styles = useStyles2(getStyles);
  const onClick = (e: MouseEvent) => {
    // With a key held, the browser opens it elsewhere.
    if (!e.ctrlKey && !e.metaKey && !e.shiftKey && e.button === 0) {
      e.preventDefault();
      locationService.push(href);
    }
  };
  return (
    <a href={href} aria-label={label} className={styles.link} onClick={onClick}>
      {children}
    </a>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  link: css({ color: theme.colors.text.link, '&:hover': { textDecoration: 'underline' } }),
});
