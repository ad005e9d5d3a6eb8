import { AppRootProps } from '@grafana/data';
import { SceneApp, useSceneApp } from '@grafana/scenes';
import { callsPage } from './CallsPage';

const makeApp = () =>
  new SceneApp({
    pages: [callsPage()],
    urlSyncOptions: { updateUrlOnInit: true, createBrowserHistorySteps: true },
  });

export function App(_: AppRootProps) {
  const app = useSceneApp(makeApp);
  return <app.Component model={app} />;
}
