// Light on style, strict on what breaks a plugin: the rules of hooks, and the
// browser globals that Grafana's plugin review refuses.
import tseslint from 'typescript-eslint';
import reactHooks from 'eslint-plugin-react-hooks';

const refusedGlobals = ['location', 'open', 'alert', 'confirm', 'prompt'].map((name) => ({
  name,
  message: 'Grafana plugins go through locationService and the theme, never through browser globals.',
}));

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.cache/'] },
  ...tseslint.configs.recommended,
  { rules: { '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }] } },
  {
    files: ['src/**/*.{ts,tsx}'],
    plugins: { 'react-hooks': reactHooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      'no-console': 'error',
      'no-restricted-globals': ['error', ...refusedGlobals],
      'no-restricted-properties': [
        'error',
        ...['location', 'open', 'alert', 'confirm', 'prompt'].map((property) => ({ object: 'window', property })),
      ],
      '@typescript-eslint/no-explicit-any': 'error',
    },
  },
  {
    // The ladder is drawn outside Grafana too.
    files: ['src/ladder/**/*.{ts,tsx}'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ group: ['@grafana/*', '@emotion/*', 'rxjs', 'lodash'] }] }],
    },
  },
  {
    files: ['test/**/*', '*.mjs'],
    rules: { '@typescript-eslint/no-explicit-any': 'off' },
  }
);
