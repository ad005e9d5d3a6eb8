import { ChangeEvent } from 'react';
import { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { css } from '@emotion/css';
import { Alert, FieldSet, InlineField, InlineSwitch, Input, SecretInput, TextArea } from '@grafana/ui';
import { aliasLines, aliasProblem, parseAliases } from './aliases';
import { HeplakeSecrets, HeplakeSettings } from './types';

const labelWidth = 20;
const inputWidth = 52;

export function ConfigEditor({ options, onOptionsChange }: DataSourcePluginOptionsEditorProps<HeplakeSettings, HeplakeSecrets>) {
  const { jsonData, secureJsonFields, secureJsonData } = options;
  const set = (change: Partial<HeplakeSettings>) => onOptionsChange({ ...options, jsonData: { ...jsonData, ...change } });
  const setSecret = (change: Partial<HeplakeSecrets>) =>
    onOptionsChange({ ...options, secureJsonData: { ...secureJsonData, ...change } });
  const reset = (key: keyof HeplakeSecrets) =>
    onOptionsChange({
      ...options,
      secureJsonFields: { ...secureJsonFields, [key]: false },
      secureJsonData: { ...secureJsonData, [key]: '' },
    });
  const problem = urlProblem(jsonData.url);
  const wrongApi = apiProblem(jsonData.api);
  const wrongAlias = aliasProblem(jsonData.aliases ?? []);
  return (
    <>
      <FieldSet label="ClickHouse">
        <InlineField
          label="URL"
          labelWidth={labelWidth}
          required
          invalid={problem !== null}
          error={problem}
          tooltip="The HTTP port as http:// or https://, or the native port as clickhouse://. The address is opened by the Grafana server, not by your browser."
        >
          <Input
            id="heplake-url"
            width={inputWidth}
            value={jsonData.url ?? ''}
            placeholder="http://clickhouse:8123"
            spellCheck={false}
            onChange={(e: ChangeEvent<HTMLInputElement>) => set({ url: e.currentTarget.value })}
          />
        </InlineField>
        <InlineField label="Database" labelWidth={labelWidth} tooltip="heplake unless you chose another one when you migrated">
          <Input
            id="heplake-database"
            width={inputWidth}
            value={jsonData.database ?? ''}
            placeholder="heplake"
            spellCheck={false}
            onChange={(e: ChangeEvent<HTMLInputElement>) => set({ database: e.currentTarget.value })}
          />
        </InlineField>
        <InlineField
          label="Skip TLS check"
          labelWidth={labelWidth}
          tooltip="Accept any certificate of the server. Only for tests: whoever sits in between can read everything."
        >
          <InlineSwitch
            id="heplake-tls"
            value={jsonData.tlsSkipVerify ?? false}
            onChange={(e) => set({ tlsSkipVerify: e.currentTarget.checked })}
          />
        </InlineField>
      </FieldSet>
      <FieldSet label="Sign in">
        <Alert severity="info" title="Give Grafana a user that may only read">
          Whoever may query this data source can run SQL as this user. A user with the profile <code>readonly</code> and
          rights on the heplake database alone is enough.
        </Alert>
        <InlineField label="User" labelWidth={labelWidth}>
          <Input
            id="heplake-user"
            width={inputWidth}
            value={jsonData.user ?? ''}
            placeholder="default"
            spellCheck={false}
            autoComplete="off"
            onChange={(e: ChangeEvent<HTMLInputElement>) => set({ user: e.currentTarget.value })}
          />
        </InlineField>
        <InlineField label="Password" labelWidth={labelWidth}>
          <SecretInput
            id="heplake-password"
            width={inputWidth}
            isConfigured={Boolean(secureJsonFields?.password)}
            value={secureJsonData?.password ?? ''}
            autoComplete="new-password"
            onChange={(e: ChangeEvent<HTMLInputElement>) => setSecret({ password: e.currentTarget.value })}
            onReset={() => reset('password')}
          />
        </InlineField>
        <InlineField
          label="Token"
          labelWidth={labelWidth}
          tooltip="Sent as a bearer token instead of user and password, for ClickHouse behind a proxy or in the cloud"
        >
          <SecretInput
            id="heplake-token"
            width={inputWidth}
            isConfigured={Boolean(secureJsonFields?.token)}
            value={secureJsonData?.token ?? ''}
            autoComplete="off"
            onChange={(e: ChangeEvent<HTMLInputElement>) => setSecret({ token: e.currentTarget.value })}
            onReset={() => reset('token')}
          />
        </InlineField>
      </FieldSet>
      <FieldSet label="Names">
        <InlineField
          label="heplake API"
          labelWidth={labelWidth}
          invalid={wrongApi !== null}
          error={wrongApi}
          tooltip="Its “aliases” name addresses here too, at most a minute old. The address is opened by the Grafana server."
        >
          <Input
            id="heplake-api"
            width={inputWidth}
            value={jsonData.api ?? ''}
            placeholder="http://heplake:9080"
            spellCheck={false}
            onChange={(e: ChangeEvent<HTMLInputElement>) => set({ api: e.currentTarget.value })}
          />
        </InlineField>
        <InlineField
          label="Aliases"
          labelWidth={labelWidth}
          invalid={wrongAlias !== null}
          error={wrongAlias}
          tooltip="One a line: address=name. The address is an IP address, one with a port, or a network; the most exact one counts. Addresses of one name are one column of a ladder. They come before those of heplake’s API."
        >
          <TextArea
            id="heplake-aliases"
            cols={inputWidth}
            rows={5}
            className={monospaced}
            defaultValue={aliasLines(jsonData.aliases)}
            placeholder={'10.0.0.1=SBC Berlin\n10.0.0.2:5060=PBX\n10.9.0.0/16=Carrier'}
            spellCheck={false}
            onChange={(e: ChangeEvent<HTMLTextAreaElement>) => set({ aliases: parseAliases(e.currentTarget.value) })}
          />
        </InlineField>
      </FieldSet>
    </>
  );
}

const monospaced = css({ fontFamily: 'monospace', fontSize: 12 });

/** What is wrong with the address, null when it will do. Nothing typed yet is not wrong. */
export function urlProblem(url: string | undefined): string | null {
  if (!url) {
    return null;
  }
  return /^(https?|clickhouse|tcp):\/\/[^\s/]+/.test(url) ? null : 'An address like http://clickhouse:8123';
}

/** What is wrong with the address of heplake's API, null when it will do or there is none. */
export function apiProblem(api: string | undefined): string | null {
  return !api?.trim() || /^https?:\/\/[^\s/]+/.test(api.trim()) ? null : 'An address like http://heplake:9080';
}
