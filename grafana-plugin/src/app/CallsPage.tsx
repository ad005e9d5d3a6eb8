import {
  EmbeddedScene,
  SceneAppPage,
  SceneAppPageLike,
  SceneControlsSpacer,
  SceneRefreshPicker,
  SceneRouteMatch,
  SceneTimePicker,
  VariableValueSelectors,
} from '@grafana/scenes';
import { callPage } from './CallPage';
import { CallSearch } from './CallSearch';
import { callsPath, kept } from './paths';
import { pageTimeRange, pageVariables } from './scene';

/** Search, and from each call found a page of its own. */
export function callsPage(): SceneAppPage {
  return new SceneAppPage({
    title: 'Calls',
    subTitle: 'Find a call by anything its messages said, then read it message by message.',
    url: callsPath,
    routePath: 'calls/*',
    preserveUrlKeys: kept,
    getScene: searchScene,
    drilldowns: [
      {
        routePath: 'call/:id/*',
        getPage: (match: SceneRouteMatch<{ id: string }>, parent: SceneAppPageLike) => callPage(match.params.id, parent),
      },
    ],
  });
}

function searchScene(): EmbeddedScene {
  return new EmbeddedScene({
    $timeRange: pageTimeRange(),
    $variables: pageVariables(),
    controls: [
      new VariableValueSelectors({}),
      new SceneControlsSpacer(),
      new SceneTimePicker({}),
      new SceneRefreshPicker({}),
    ],
    body: new CallSearch({}),
  });
}
