/** Puts the page together: the state, the map, the panels. */

import "ol/ol.css";
import { Api } from "./http/api";
import { SceneView } from "./map/scene_view";
import { Drafts } from "./model/drafts";
import { Studio } from "./model/studio";
import { answerPanel } from "./page/answer_panel";
import { displayPanel } from "./page/display_panel";
import { byId } from "./page/elements";
import { frame } from "./page/frame";
import { markPanel } from "./page/mark_panel";
import { questionForm } from "./page/question_form";
import { scenePanel } from "./page/scene_panel";
import { fillHelp, listenForKeys } from "./page/shortcuts";
import { toolbar, zoombar } from "./page/toolbar";

const studio = new Studio(new Api(), new Drafts(localStorage, sessionStorage));
const page = frame(studio);
const map = byId("map");
const view = new SceneView(map, studio, page.showPlace);
toolbar(byId("toolbar"), byId("hint"), studio);
zoombar(byId("zoombar"), view, studio);
scenePanel(byId("scenes"), studio);
displayPanel(byId("display"), studio);
markPanel(byId("marks"), studio, ({ mark }) => { view.reveal(mark); });
answerPanel(byId("answers"), studio, page.announce);
questionForm(byId("ask"), studio);
fillHelp(byId("help"), listenForKeys(studio, view, map, page), page.closeHelp, studio);
studio.topics.on(["selection"], () => {
  const { handle } = studio.drawing;
  if (handle !== null) page.announce(`Handle: ${handle.name}`);
});
performance.mark("interactive");
void studio.start();
