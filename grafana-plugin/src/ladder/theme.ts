/** Colours and fonts of the ladder. Whoever embeds it maps its own theme to these. */
export interface LadderTheme {
  mode: 'dark' | 'light';
  background: string;
  /** Header, toolbar, drawer. */
  surface: string;
  /** Chips, code, tooltips. */
  raised: string;
  text: string;
  textMuted: string;
  textFaint: string;
  border: string;
  lifeline: string;
  hover: string;
  selected: string;
  focus: string;
  error: string;
  errorTint: string;
  warning: string;
  success: string;
  addedTint: string;
  removedTint: string;
  addedMark: string;
  removedMark: string;
  shadow: string;
  fontSans: string;
  fontMono: string;
  /** Per leg, used in turn; told apart by people with any colour vision. */
  legs: string[];
  /** SIP and JSON text. */
  code: { method: string; header: string; value: string; uri: string; number: string; punctuation: string };
}

const fontSans = "Inter, 'Helvetica Neue', Arial, sans-serif";
const fontMono = "'Roboto Mono', ui-monospace, Menlo, Consolas, monospace";

/** For dark backgrounds. The legs are Okabe and Ito's colours, lightened for contrast. */
export const darkTheme: LadderTheme = {
  mode: 'dark',
  background: '#111217',
  surface: '#181b1f',
  raised: '#22252b',
  text: '#d8d9da',
  textMuted: '#9fa7b3',
  textFaint: '#747b87',
  border: '#2c3235',
  lifeline: '#3a4048',
  hover: 'rgba(204, 204, 220, 0.06)',
  selected: 'rgba(110, 159, 255, 0.16)',
  focus: '#6e9fff',
  error: '#ff6b7a',
  errorTint: 'rgba(242, 73, 92, 0.09)',
  warning: '#f8b84a',
  success: '#6ccf8e',
  addedTint: 'rgba(108, 207, 142, 0.13)',
  removedTint: 'rgba(255, 107, 122, 0.13)',
  addedMark: 'rgba(108, 207, 142, 0.34)',
  removedMark: 'rgba(255, 107, 122, 0.34)',
  shadow: '0 6px 24px rgba(0, 0, 0, 0.55)',
  fontSans,
  fontMono,
  legs: ['#56b4e9', '#f0a30a', '#d58bb8', '#3fcf9f', '#efe25a', '#9c8cff', '#e8794a', '#a8b3bd'],
  code: {
    method: '#6eb7ff',
    header: '#8ab4d8',
    value: '#d8d9da',
    uri: '#b7d99a',
    number: '#e6b673',
    punctuation: '#8b93a0',
  },
};

/** For light backgrounds. */
export const lightTheme: LadderTheme = {
  mode: 'light',
  background: '#ffffff',
  surface: '#f4f5f5',
  raised: '#ffffff',
  text: '#24292e',
  textMuted: '#5b6470',
  textFaint: '#7d858f',
  border: '#dcdfe3',
  lifeline: '#c3c8ce',
  hover: 'rgba(36, 41, 46, 0.045)',
  selected: 'rgba(56, 113, 220, 0.13)',
  focus: '#3871dc',
  error: '#c4162a',
  errorTint: 'rgba(224, 47, 68, 0.07)',
  warning: '#9a5b00',
  success: '#1b7a43',
  addedTint: 'rgba(26, 127, 55, 0.10)',
  removedTint: 'rgba(207, 34, 46, 0.09)',
  addedMark: 'rgba(26, 127, 55, 0.27)',
  removedMark: 'rgba(207, 34, 46, 0.24)',
  shadow: '0 6px 20px rgba(24, 26, 27, 0.20)',
  fontSans,
  fontMono,
  legs: ['#0072b2', '#b45309', '#99387c', '#007a5a', '#7a6a00', '#5b4fcf', '#a8401c', '#566069'],
  code: {
    method: '#0059b3',
    header: '#37597a',
    value: '#24292e',
    uri: '#3d6b16',
    number: '#8a4b00',
    punctuation: '#78808a',
  },
};

/** The colour of a leg; -1 is what belongs to no leg. */
export function legColour(theme: LadderTheme, leg: number): string {
  return leg < 0 ? theme.textMuted : theme.legs[leg % theme.legs.length];
}
