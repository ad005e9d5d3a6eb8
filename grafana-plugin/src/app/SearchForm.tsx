import { ChangeEvent, FormEvent, useEffect, useState } from 'react';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { Button, Combobox, Field, Input, RadioButtonGroup, useStyles2 } from '@grafana/ui';
import { FieldSource, FilterBuilder } from '../datasource/FilterBuilder';
import { filterExamples } from '../datasource/FilterExamples';
import { buildFilter, emptySearch, Kind, SearchFields, statusProblem } from './filter';

const outcomes = [
  { value: '', label: 'Any outcome' },
  { value: 'answered', label: 'Answered' },
  { value: 'failed', label: 'Failed' },
  { value: 'cancelled', label: 'Cancelled' },
  { value: 'unanswered', label: 'Unanswered' },
  { value: 'in_progress', label: 'In progress' },
];

const kinds: Array<{ value: Kind; label: string; description: string }> = [
  { value: 'calls', label: 'Calls', description: 'INVITE' },
  { value: 'registrations', label: 'Registrations', description: 'REGISTER' },
  { value: 'all', label: 'All', description: 'Whatever opened a transaction' },
];

interface Props {
  fields: SearchFields;
  onSearch: (fields: SearchFields) => void;
  /** What the form of a filter knows of fields and their values. */
  source: FieldSource;
}

/** What to look for. Enter or the button searches; the choices search at once. */
export function SearchForm({ fields, onSearch, source }: Props) {
  const styles = useStyles2(getStyles);
  const [draft, setDraft] = useState(fields);
  useEffect(() => setDraft(fields), [fields]);
  const [form, setForm] = useState(false);
  const problem = statusProblem(draft.status);
  const set = (change: Partial<SearchFields>) => setDraft({ ...draft, ...change });
  const setAndSearch = (change: Partial<SearchFields>) => onSearch({ ...draft, ...change });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (problem === null) {
      onSearch(draft);
    }
  };
  const input = (name: 'callId' | 'from' | 'to' | 'status', placeholder: string, width?: number) => (
    <Input
      id={`search-${name}`}
      width={width}
      value={draft[name]}
      placeholder={placeholder}
      spellCheck={false}
      onChange={(e: ChangeEvent<HTMLInputElement>) => set({ [name]: e.currentTarget.value })}
    />
  );
  const changed = JSON.stringify(draft) !== JSON.stringify({ ...emptySearch, kind: draft.kind });
  return (
    <form className={styles.form} onSubmit={submit} role="search" aria-label="Search calls">
      <div className={styles.row}>
        <Field noMargin className={styles.grow}>
          <Input
            id="search-text"
            aria-label="Search"
            value={draft.text}
            placeholder={`A number, a Call-ID, or a filter like ${filterExamples[1][0]}`}
            spellCheck={false}
            onChange={(e: ChangeEvent<HTMLInputElement>) => set({ text: e.currentTarget.value })}
            addonAfter={
              <Button
                type="button"
                variant="secondary"
                icon="list-ul"
                aria-expanded={form}
                aria-label="Filter form"
                tooltip="Search by any field, with and, or, not"
                onClick={() => setForm(!form)}
              />
            }
          />
        </Field>
        <RadioButtonGroup options={kinds} value={draft.kind} onChange={(kind) => setAndSearch({ kind })} />
        <Button type="submit" icon="search" disabled={problem !== null}>
          Search
        </Button>
        <Button
          type="button"
          variant="secondary"
          fill="outline"
          disabled={!changed}
          onClick={() => onSearch({ ...emptySearch, kind: draft.kind })}
        >
          Clear
        </Button>
      </div>
      {form && (
        // The text of the search, as a form; it is searched by the button, like the text.
        <FilterBuilder value={draft.text} onChange={(text) => set({ text })} onRun={() => undefined} source={source} />
      )}
      <div className={styles.row}>
        <Field noMargin label="From" className={styles.name}>
          {input('from', 'alice or 4930*')}
        </Field>
        <Field noMargin label="To" className={styles.name}>
          {input('to', 'bob or *4711')}
        </Field>
        <Field noMargin label="Final status" invalid={problem !== null} error={problem ?? undefined}>
          {input('status', '486 or 5xx', 16)}
        </Field>
        <Field noMargin label="Outcome">
          <Combobox
            id="search-outcome"
            width={20}
            options={outcomes}
            value={draft.outcome}
            onChange={(v) => setAndSearch({ outcome: v.value })}
          />
        </Field>
        <Field noMargin label="Call-ID" className={styles.grow}>
          {input('callId', 'whole, or with * for any part')}
        </Field>
      </div>
      <div className={styles.filter} data-testid="search-filter">
        {buildFilter(draft) || 'everything'}
      </div>
    </form>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  form: css({
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(1),
    padding: theme.spacing(1.5),
    background: theme.colors.background.secondary,
    borderRadius: theme.shape.radius.default,
  }),
  row: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1), alignItems: 'flex-start' }),
  grow: css({ flex: '1 1 240px', minWidth: 0 }),
  name: css({ flex: '0 1 190px', minWidth: 120 }),
  filter: css({
    fontFamily: theme.typography.fontFamilyMonospace,
    fontSize: theme.typography.bodySmall.fontSize,
    color: theme.colors.text.secondary,
    overflowWrap: 'anywhere',
  }),
});
