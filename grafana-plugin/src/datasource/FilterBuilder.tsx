import { ChangeEvent, useEffect, useMemo, useState } from 'react';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { Button, Combobox, ComboboxOption, IconButton, Input, useStyles2 } from '@grafana/ui';
import { Condition, emptyCondition, emptyGroup, fromFilter, Group, Node, operators, toFilter } from './builder';

/** A field as the backend describes it. */
export interface Field {
  name: string;
  doc: string;
  ops: string[];
  /** All the values there are, where they are few. */
  values?: string[];
  /** Whether values can be asked for. */
  listed: boolean;
}

/** Where fields and their values come from. */
export interface FieldSource {
  fields: () => Promise<Field[]>;
  /** Values of a field that begin with what is typed, the most frequent first. */
  values: (field: string, prefix: string) => Promise<string[]>;
}

interface Props {
  value: string;
  onChange: (filter: string) => void;
  onRun: () => void;
  source: FieldSource;
}

/** The filter as a form: a line for each condition, groups for and, or and not. */
export function FilterBuilder({ value, onChange, onRun, source }: Props) {
  const styles = useStyles2(getStyles);
  // Half-filled lines are in the tree and not in the text; a text from elsewhere makes a new tree.
  const [state, setState] = useState(() => ({ text: value, tree: fromFilter(value) }));
  if (state.text !== value) {
    setState({ text: value, tree: fromFilter(value) });
  }
  const fields = useFields(source);
  if (state.tree === null) {
    return (
      <div data-testid="heplake-builder">
        This filter cannot be read, so it cannot be shown by its fields.{' '}
        <Button size="sm" variant="secondary" onClick={() => onChange('')}>
          Start anew
        </Button>
      </div>
    );
  }
  const change = (tree: Group) => {
    const text = toFilter(tree);
    setState({ text, tree });
    if (text !== value) {
      onChange(text);
    }
  };
  return (
    <div className={styles.builder} data-testid="heplake-builder">
      <GroupLines group={state.tree} onChange={change} onRun={onRun} source={source} fields={fields} depth={0} />
    </div>
  );
}

function useFields(source: FieldSource): Field[] {
  const [fields, setFields] = useState<Field[]>([]);
  useEffect(() => {
    let gone = false;
    source.fields().then(
      (f) => !gone && setFields(f),
      // Fields can be typed without a list of them.
      () => !gone && setFields([])
    );
    return () => {
      gone = true;
    };
  }, [source]);
  return fields;
}

const joins: Array<ComboboxOption<string>> = [
  { value: 'and', label: 'All of', description: 'and' },
  { value: 'or', label: 'Any of', description: 'or' },
  { value: 'not or', label: 'None of', description: 'not (… or …)' },
  { value: 'not and', label: 'Not all of', description: 'not (… and …)' },
];

interface LinesProps {
  onRun: () => void;
  source: FieldSource;
  fields: Field[];
  depth: number;
}

function GroupLines({ group, onChange, onRemove, ...rest }: LinesProps & { group: Group; onChange: (g: Group) => void; onRemove?: () => void }) {
  const styles = useStyles2(getStyles);
  const set = (i: number, node: Node | null) => {
    const nodes = node === null ? group.nodes.filter((_, n) => n !== i) : group.nodes.map((old, n) => (n === i ? node : old));
    onChange({ ...group, nodes: nodes.length > 0 ? nodes : [emptyCondition()] });
  };
  const add = (node: Node) => onChange({ ...group, nodes: [...group.nodes, node] });
  return (
    <div className={rest.depth > 0 ? styles.nested : undefined} role="group" aria-label="Conditions">
      <div className={styles.line}>
        <Combobox
          aria-label="How conditions are joined"
          width={16}
          options={joins}
          value={(group.not ? 'not ' : '') + group.join}
          onChange={(v) => onChange({ ...group, join: v.value.endsWith('or') ? 'or' : 'and', not: v.value.startsWith('not') })}
        />
        <Button size="sm" variant="secondary" fill="text" icon="plus" onClick={() => add(emptyCondition())}>
          Condition
        </Button>
        <Button size="sm" variant="secondary" fill="text" icon="plus" onClick={() => add(emptyGroup(group.join === 'and' ? 'or' : 'and'))}>
          Group
        </Button>
        {onRemove && <IconButton name="trash-alt" aria-label="Remove the group" tooltip="Remove the group" onClick={onRemove} />}
      </div>
      {group.nodes.map((node, i) =>
        node.kind === 'group' ? (
          <GroupLines key={i} {...rest} depth={rest.depth + 1} group={node} onChange={(g) => set(i, g)} onRemove={() => set(i, null)} />
        ) : (
          <ConditionLine key={i} {...rest} condition={node} onChange={(c) => set(i, c)} onRemove={() => set(i, null)} />
        )
      )}
    </div>
  );
}

const anything = { value: '', label: 'anything', description: 'A Call-ID, a correlation id, or a user of From, To or the Request-URI' };

function ConditionLine({ condition, onChange, onRemove, onRun, source, fields }: LinesProps & { condition: Condition; onChange: (c: Condition) => void; onRemove: () => void }) {
  const styles = useStyles2(getStyles);
  const field = fields.find((f) => f.name === condition.field);
  const options = useMemo(() => [anything, ...fields.map((f) => ({ value: f.name, label: f.name, description: f.doc }))], [fields]);
  const ops = useMemo(() => operators.filter((o) => !field || field.ops.includes(o.value)), [field]);
  const set = (part: Partial<Condition>) => onChange({ ...condition, ...part });
  const setField = (name: string) => {
    const to = fields.find((f) => f.name === name);
    set({ field: name, op: to && !to.ops.includes(condition.op) ? to.ops[0] : condition.op });
  };
  const many = condition.op === 'in' || condition.op === 'not in';
  // Values are offered where they are known; several, and patterns, are typed.
  const offered = field?.listed && !many && !/like|~/.test(condition.op);
  return (
    <div className={styles.line} data-testid="heplake-condition">
      <Combobox aria-label="Field" width={28} options={options} value={condition.field} createCustomValue placeholder="Field or header.NAME" onChange={(v) => setField(v.value)} />
      {condition.field !== '' && (
        <Combobox aria-label="Operator" width={18} options={ops} value={condition.op} onChange={(v) => set({ op: v.value })} />
      )}
      <div className={styles.value}>
        {offered ? (
          <Combobox
            aria-label="Value"
            options={async (typed: string) => (await known(source, field, typed)).map((v) => ({ value: v, label: v }))}
            value={condition.value || null}
            createCustomValue
            placeholder="Value"
            onChange={(v) => {
              set({ value: v.value });
              onRun();
            }}
          />
        ) : (
          <Input
            aria-label="Value"
            value={condition.value}
            placeholder={many ? 'Values, separated by commas' : 'Value'}
            spellCheck={false}
            onChange={(e: ChangeEvent<HTMLInputElement>) => set({ value: e.currentTarget.value })}
            onBlur={onRun}
            onKeyDown={(e) => e.key === 'Enter' && onRun()}
          />
        )}
      </div>
      <IconButton name="trash-alt" aria-label="Remove the condition" tooltip="Remove the condition" onClick={onRemove} />
    </div>
  );
}

/** Values to choose from; none when they cannot be had, as any can be typed. */
async function known(source: FieldSource, field: Field | undefined, typed: string): Promise<string[]> {
  if (!field) {
    return [];
  }
  if (field.values) {
    return field.values.filter((v) => v.toLowerCase().includes(typed.toLowerCase()));
  }
  try {
    return await source.values(field.name, typed);
  } catch {
    return [];
  }
}

const getStyles = (theme: GrafanaTheme2) => ({
  builder: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(0.5) }),
  line: css({ display: 'flex', flexWrap: 'wrap', alignItems: 'center', gap: theme.spacing(0.5), padding: theme.spacing(0.25, 0) }),
  nested: css({ marginLeft: theme.spacing(1), paddingLeft: theme.spacing(1), borderLeft: `2px solid ${theme.colors.border.medium}` }),
  value: css({ flex: '1 1 180px', minWidth: 140, maxWidth: 460 }),
});
