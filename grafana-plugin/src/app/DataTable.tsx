import { ReactNode, useMemo, useState } from 'react';
import { css, cx } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { Icon, useStyles2 } from '@grafana/ui';

export interface TableColumn<T> {
  name: string;
  title?: string;
  cell: (row: T) => ReactNode;
  /** What the column sorts by; without it the column does not sort. */
  sort?: (row: T) => string | number | null;
  align?: 'right';
  mono?: boolean;
  /** Takes what room is left. */
  grow?: boolean;
}

interface Props<T> {
  rows: T[];
  columns: Array<TableColumn<T>>;
  keyOf: (row: T, i: number) => string;
  onOpen?: (row: T) => void;
  isSelected?: (row: T) => boolean;
  label: string;
}

/** A dense table that sorts by its heads. Nothing is sorted until asked for: rows come in a useful order. */
export function DataTable<T>({ rows, columns, keyOf, onOpen, isSelected, label }: Props<T>) {
  const styles = useStyles2(getStyles);
  const [by, setBy] = useState<{ name: string; down: boolean } | null>(null);
  const sorted = useMemo(() => {
    const key = by && columns.find((c) => c.name === by.name)?.sort;
    if (!by || !key) {
      return rows;
    }
    return [...rows].sort((a, b) => compare(key(a), key(b)) * (by.down ? -1 : 1));
  }, [rows, columns, by]);
  const sortBy = (name: string) => setBy(by?.name !== name ? { name, down: true } : by.down ? { name, down: false } : null);
  return (
    <div className={styles.wrap}>
      <table className={styles.table} aria-label={label}>
        <thead>
          <tr>
            {columns.map((c) => (
              <th
                key={c.name}
                title={c.title}
                className={cx(c.align === 'right' && styles.right, c.grow && styles.grow)}
                aria-sort={by?.name === c.name ? (by.down ? 'descending' : 'ascending') : undefined}
              >
                {c.sort ? (
                  <button type="button" className={styles.head} onClick={() => sortBy(c.name)}>
                    {c.name}
                    {by?.name === c.name && <Icon name={by.down ? 'arrow-down' : 'arrow-up'} size="sm" />}
                  </button>
                ) : (
                  c.name
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row, i) => (
            <tr
              key={keyOf(row, i)}
              className={cx(onOpen && styles.clickable, isSelected?.(row) && styles.selected)}
              onClick={
                onOpen &&
                ((e) => {
                  // Links, and selecting text, do what they always do.
                  if (!(e.target as Element).closest('a,button') && !document.getSelection()?.toString()) {
                    onOpen(row);
                  }
                })
              }
            >
              {columns.map((c) => (
                <td key={c.name} className={cx(c.align === 'right' && styles.right, c.mono && styles.mono, c.grow && styles.grow)}>
                  {c.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function compare(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) {
    return a === b ? 0 : a === null ? -1 : 1;
  }
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
}

const getStyles = (theme: GrafanaTheme2) => ({
  wrap: css({
    flex: 'none',
    overflow: 'auto',
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: theme.shape.radius.default,
    background: theme.colors.background.primary,
  }),
  table: css({
    width: '100%',
    borderCollapse: 'separate',
    borderSpacing: 0,
    fontSize: theme.typography.bodySmall.fontSize,
    fontVariantNumeric: 'tabular-nums',
    'th, td': { padding: '4px 10px', whiteSpace: 'nowrap', textAlign: 'left', verticalAlign: 'middle' },
    th: {
      position: 'sticky',
      top: 0,
      zIndex: 1,
      background: theme.colors.background.secondary,
      color: theme.colors.text.secondary,
      fontWeight: theme.typography.fontWeightMedium,
      borderBottom: `1px solid ${theme.colors.border.weak}`,
    },
    'tbody tr:not(:last-child) td': { borderBottom: `1px solid ${theme.colors.border.weak}` },
    'tbody tr:hover': { background: theme.colors.action.hover },
  }),
  head: css({
    background: 'none',
    border: 'none',
    padding: 0,
    color: 'inherit',
    font: 'inherit',
    display: 'inline-flex',
    alignItems: 'center',
    gap: 2,
    '&:hover': { color: theme.colors.text.primary },
  }),
  clickable: css({ cursor: 'pointer' }),
  selected: css({ background: theme.colors.action.selected }),
  right: css({ 'th&, td&': { textAlign: 'right' } }),
  mono: css({ fontFamily: theme.typography.fontFamilyMonospace }),
  grow: css({ 'th&, td&': { width: '100%', minWidth: 150, maxWidth: 0, overflow: 'hidden', textOverflow: 'ellipsis' } }),
});
