import { GrafanaTheme2 } from '@grafana/data';
import { darkTheme, LadderTheme, lightTheme } from '../ladder/theme';

/** The ladder's colours on Grafana's surfaces and fonts. */
export function ladderTheme(theme: GrafanaTheme2): LadderTheme {
  const base = theme.isDark ? darkTheme : lightTheme;
  return {
    ...base,
    background: theme.colors.background.primary,
    surface: theme.isDark ? theme.colors.background.secondary : theme.colors.background.canvas,
    raised: theme.isDark ? theme.colors.background.elevated ?? base.raised : theme.colors.background.primary,
    text: theme.colors.text.primary,
    textMuted: theme.colors.text.secondary,
    border: theme.colors.border.weak,
    focus: theme.colors.primary.text,
    fontSans: theme.typography.fontFamily,
    fontMono: theme.typography.fontFamilyMonospace,
    shadow: theme.shadows.z3,
  };
}
