import { ChangeEvent, useState } from 'react';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { Button, InlineField, Input, useStyles2 } from '@grafana/ui';
import { FieldSource, FilterBuilder } from './FilterBuilder';
import { filterExamples } from './FilterExamples';

interface Props {
  value: string;
  onChange: (filter: string) => void;
  onRun: () => void;
  /** What the form knows of fields and their values. */
  source: FieldSource;
}

/** The filter, with a form to build it by and examples to start from. */
export function FilterInput({ value, onChange, onRun, source }: Props) {
  const styles = useStyles2(getStyles);
  const [help, setHelp] = useState(false);
  const [form, setForm] = useState(false);
  return (
    <div className={styles.wrap}>
      <InlineField grow label="Filter" labelWidth={10} tooltip="field op value, joined by and, or, not and parentheses. Enter runs it.">
        <Input
          id="heplake-filter"
          value={value}
          placeholder='status >= 500 and from_user like "4930%"'
          spellCheck={false}
          className={styles.mono}
          onChange={(e: ChangeEvent<HTMLInputElement>) => onChange(e.currentTarget.value)}
          onBlur={onRun}
          onKeyDown={(e) => e.key === 'Enter' && onRun()}
          addonAfter={
            <>
              <Button variant="secondary" icon="list-ul" aria-expanded={form} tooltip="Build the filter by its fields" aria-label="Filter form" onClick={() => setForm(!form)} />
              <Button variant="secondary" icon="question-circle" aria-expanded={help} aria-label="Filter help" onClick={() => setHelp(!help)} />
            </>
          }
        />
      </InlineField>
      {form && (
        <div className={styles.help}>
          <FilterBuilder value={value} onChange={onChange} onRun={onRun} source={source} />
        </div>
      )}
      {help && (
        <div className={styles.help} data-testid="heplake-filter-help">
          <div>
            Operators: <code>= != &lt; &gt; &lt;= &gt;= like ~ in</code>, the last three with <code>not</code> or <code>!~</code>{' '}
            too. <code>like</code> takes <code>%</code> and <code>_</code>, <code>~</code> a regular expression,{' '}
            <code>in</code> a list in parentheses or a network. A value alone is looked for among Call-IDs and users. Fields:{' '}
            <code>
              method status reason cseq_method call_id user from_user to_user ruri_user from_domain to_domain user_agent ip
              src_ip dst_ip src_port dst_port transport node raw header.NAME
            </code>
            , and of a call as a whole{' '}
            <code>outcome final_status duration_s pdd_ms ring_ms q850 released_by mos_min loss_percent</code>.
          </div>
          <ul>
            {filterExamples.map(([filter, what]) => (
              <li key={filter}>
                <button
                  type="button"
                  className={styles.example}
                  onClick={() => {
                    onChange(filter);
                    setHelp(false);
                  }}
                >
                  {filter}
                </button>{' '}
                {what}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  wrap: css({ flex: '1 1 420px', minWidth: 0 }),
  mono: css({ input: { fontFamily: theme.typography.fontFamilyMonospace, fontSize: theme.typography.bodySmall.fontSize } }),
  help: css({
    margin: theme.spacing(0, 0.5, 1, 0),
    padding: theme.spacing(1, 1.5),
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: theme.shape.radius.default,
    background: theme.colors.background.secondary,
    color: theme.colors.text.secondary,
    ...theme.typography.bodySmall,
    code: { border: 'none', padding: 0, background: 'none', whiteSpace: 'normal', color: theme.colors.text.primary },
    ul: { margin: theme.spacing(0.5, 0, 0), listStyle: 'none' },
  }),
  example: css({
    fontFamily: theme.typography.fontFamilyMonospace,
    fontSize: theme.typography.bodySmall.fontSize,
    color: theme.colors.text.link,
    background: 'none',
    border: 'none',
    padding: 0,
    textAlign: 'left',
    '&:hover': { textDecoration: 'underline' },
  }),
});
