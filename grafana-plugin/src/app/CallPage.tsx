import {
  EmbeddedScene,
  SceneAppPage,
  SceneAppPageLike,
  SceneControlsSpacer,
  SceneFlexItem,
  SceneFlexLayout,
  SceneQueryRunner,
  SceneRefreshPicker,
  SceneTimePicker,
  SceneObject,
  VariableValueSelectors,
  VizPanel,
} from '@grafana/scenes';
import { HeplakeQuery } from '../datasource/types';
import { MessagesView } from './MessagesView';
import { callIdOf, callPath, kept } from './paths';
import { QualityView } from './QualityView';
import { chosenDatasource, pageTimeRange, pageVariables } from './scene';

/** One call: its ladder, its messages as a table, its media quality. */
export function callPage(param: string, parent: SceneAppPageLike): SceneAppPage {
  const callId = callIdOf(param);
  const url = callPath(callId);
  const tab = (title: string, routePath: string, body: () => SceneObject, queryType: HeplakeQuery['queryType']) =>
    new SceneAppPage({
      title,
      url: `${url}/${routePath}`,
      routePath,
      preserveUrlKeys: kept,
      getParentPage: () => page,
      getScene: () => callScene(callId, queryType, body()),
    });
  const page: SceneAppPage = new SceneAppPage({
    title: callId,
    url,
    routePath: 'call/:id/*',
    preserveUrlKeys: kept,
    getParentPage: () => parent,
    tabs: [
      tab('Ladder', 'ladder', ladder, 'flow'),
      tab('Messages', 'messages', () => new MessagesView({}), 'flow'),
      tab('Media quality', 'quality', () => new QualityView({}), 'quality'),
    ],
  });
  return page;
}

function callScene(callId: string, queryType: HeplakeQuery['queryType'], body: SceneObject): EmbeddedScene {
  const query: HeplakeQuery = { refId: 'A', queryType, callId };
  return new EmbeddedScene({
    $timeRange: pageTimeRange(),
    $variables: pageVariables(),
    $data: new SceneQueryRunner({ datasource: chosenDatasource, queries: [query] }),
    controls: [
      new VariableValueSelectors({}),
      new SceneControlsSpacer(),
      new SceneTimePicker({}),
      new SceneRefreshPicker({}),
    ],
    body,
  });
}

function ladder(): SceneObject {
  return new SceneFlexLayout({
    direction: 'column',
    children: [
      new SceneFlexItem({
        minHeight: 480,
        body: new VizPanel({ pluginId: 'heplake-ladder-panel', title: '', hoverHeader: true }),
      }),
    ],
  });
}
