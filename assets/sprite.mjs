// Makes static/icons.svg: one <symbol> per name in icons.txt, from lucide-static.
// Usage: node sprite.mjs <icons.txt> <out.svg>
import { readFileSync, writeFileSync } from "node:fs";

const [list, out] = process.argv.slice(2);
const names = readFileSync(list, "utf8")
  .split("\n")
  .map((line) => line.trim())
  .filter((line) => line && !line.startsWith("#"))
  .sort();

const symbols = names.map((name) => {
  const url = new URL(`node_modules/lucide-static/icons/${name}.svg`, import.meta.url);
  const body = readFileSync(url, "utf8")
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/^[\s\S]*?<svg[\s\S]*?>/, "")
    .replace(/<\/svg>\s*$/, "")
    .replace(/\s*\n\s*/g, "")
    .trim();
  return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${body}</symbol>`;
});

writeFileSync(
  out,
  `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`,
);
