// Lighthouse's accessibility audits over a list of pages. Started by ui_lighthouse.py:
//   node lighthouse_pages.mjs FOLDER THEME    FOLDER has node_modules; addresses come in a line each, a JSON line goes out
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"

const [folder, theme] = process.argv.slice(2)
const load = async (path) => import(pathToFileURL(`${folder}/node_modules/${path}`).href)
const { default: lighthouse } = await load("lighthouse/core/index.js")
const chromeLauncher = await load("chrome-launcher/dist/index.js")

// how fast this machine is matters to no audit of accessibility, and measuring it takes a second a page
const { pageFunctions } = await load("lighthouse/core/lib/page-functions.js")
pageFunctions.computeBenchmarkIndex = function computeBenchmarkIndex() { return 0 }

const scheme = theme === "dark" ? 0 : 1
const start = () => chromeLauncher.launch({
  chromePath: "/usr/bin/chromium",
  chromeFlags: ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", `--blink-settings=preferredColorScheme=${scheme}`],
})
const options = { onlyCategories: ["accessibility"], output: "json", logLevel: "error", formFactor: "desktop",
  screenEmulation: { mobile: false, width: 1024, height: 600, deviceScaleFactor: 1, disabled: false },
  throttlingMethod: "simulate", // which waits the least: any other adds 5 s after the load for figures not asked here
  maxWaitForLoad: 15_000, pauseAfterFcpMs: 0, pauseAfterLoadMs: 0, networkQuietThresholdMs: 0,
  cpuQuietThresholdMs: 0, disableFullPageScreenshot: true }
const TRIES = 3, PAGES_A_BROWSER_MAX = 40
let chrome, shown = 0
const end = async () => { await chrome?.kill(); chrome = undefined; shown = 0 }
for await (const address of createInterface({ input: process.stdin })) {
  let lhr
  for (let tried = 0; !lhr && tried < TRIES; tried++) {
    chrome ??= await start()
    try { lhr = (await lighthouse(address, { ...options, port: chrome.port })).lhr } catch (error) { console.error(error) }
    if (!lhr || ++shown >= PAGES_A_BROWSER_MAX) await end() // a busy machine loses the session of an old one: a fresh one
  }
  const failed = Object.values(lhr.audits).filter((one) => one.score !== null && one.score < 1).map((one) => one.id)
  console.log(JSON.stringify({ address, score: lhr.categories.accessibility.score, failed }))
}
await end()
