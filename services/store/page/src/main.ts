import { Client } from "./api/client";
import { Queries } from "./api/queries";
import { App } from "./app";

const root = document.getElementById("app");
if (root) new App(new Queries(new Client()), root).start();
