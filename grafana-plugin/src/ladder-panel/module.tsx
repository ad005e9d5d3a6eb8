import { PanelPlugin } from '@grafana/data';
import { defaultPanelOptions, LadderPanel, PanelOptions } from './LadderPanel';

export const plugin = new PanelPlugin<PanelOptions>(LadderPanel).setNoPadding().setPanelOptions((builder) =>
  builder
    .addRadio({
      path: 'timeMode',
      name: 'Times',
      description: 'What the first column shows; the viewer can switch it in the panel',
      defaultValue: defaultPanelOptions.timeMode,
      settings: {
        options: [
          { value: 'clock', label: 'Clock' },
          { value: 'offset', label: 'Since start' },
          { value: 'delta', label: 'Delta' },
        ],
      },
    })
    .addBooleanSwitch({
      path: 'showSummary',
      name: 'Summary line',
      description: 'Outcome, parties and delays above the ladder',
      defaultValue: defaultPanelOptions.showSummary,
    })
    .addBooleanSwitch({
      path: 'showFindings',
      name: 'Findings',
      description: 'Why the call went as it did, with the messages that show it',
      defaultValue: defaultPanelOptions.showFindings,
    })
    .addBooleanSwitch({
      path: 'showMedia',
      name: 'RTCP and quality reports',
      defaultValue: defaultPanelOptions.showMedia,
    })
    .addBooleanSwitch({
      path: 'showEvents',
      name: 'Logs and other events',
      defaultValue: defaultPanelOptions.showEvents,
    })
    .addBooleanSwitch({
      path: 'hideCopies',
      name: 'Hide copies',
      description: 'Messages that a second capture agent saw on the same hop',
      defaultValue: defaultPanelOptions.hideCopies,
    })
    .addBooleanSwitch({
      path: 'hideOptions',
      name: 'Hide OPTIONS',
      defaultValue: defaultPanelOptions.hideOptions,
    })
    .addNumberInput({
      path: 'gapSeconds',
      name: 'Mark silence after',
      description: 'Seconds without a message that get a row of their own; 0 for never',
      defaultValue: defaultPanelOptions.gapSeconds,
      settings: { min: 0, step: 1 },
    })
);
