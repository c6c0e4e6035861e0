import { defineConfig } from "vitest/config";

// The built page lies in the Python package, so that whoever installs earthgptx has it.
export default defineConfig({
  base: "/",
  build: {
    outDir: "../earthgptx/serving/studio",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0, // no data: addresses, which a strict content policy refuses
    modulePreload: { polyfill: false },
    target: "es2022",
    license: { fileName: "licenses.md" }, // of what is bundled; their terms ask for it
  },
  server: {
    // `earthgptx serve` beside `npm run dev`
    proxy: Object.fromEntries(
      ["/api", "/scenes", "/health", "/ready"].map((path) => [path, "http://127.0.0.1:8000"]),
    ),
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.ts"] },
});
