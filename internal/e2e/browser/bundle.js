// What JsSIP and the packages that it needs are as one script for a page: CommonJS modules, each a function, and the
// `require` that finds them. A bundler does the same, with four hundred packages of its own.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

// browserFile is the file that a package has for browsers instead of the one for Node (debug has one).
function browserFile(require, name, file) {
  if (name.startsWith('.')) return file;
  const home = file.slice(0, file.lastIndexOf(join('node_modules', name)) + join('node_modules', name).length);
  const { browser } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  return typeof browser === 'string' ? join(home, browser) : file;
}

/** bundle gives a script that sets window[global] to what the module at entry exports. */
export function bundle(entry, global) {
  const modules = new Map(); // file: text
  const take = file => {
    if (modules.has(file)) return;
    modules.set(file, '');
    let text = readFileSync(file, 'utf8');
    if (file.endsWith('.json')) {
      modules.set(file, `module.exports = ${text};`);
      return;
    }
    const require = createRequire(file);
    text = text.replace(/\brequire\((['"])([^'"]+)\1\)/g, (_, __, name) => {
      const bare = name === 'events' ? 'events/' : name; // Node has a module of that name
      const found = browserFile(require, name, require.resolve(bare));
      take(found);
      return `require(${JSON.stringify(found)})`;
    });
    modules.set(file, text);
  };
  const start = createRequire(join(dirname(entry), 'x.js')).resolve(entry);
  take(start);
  const list = [...modules].map(([file, text]) => `${JSON.stringify(file)}(module, exports, require) {${text}\n}`);
  return `'use strict'; (() => {
const modules = {${list.join(',\n')}};
const loaded = {};
const require = file => {
  if (!loaded[file]) modules[file](loaded[file] = { exports: {} }, loaded[file].exports, require);
  return loaded[file].exports;
};
window[${JSON.stringify(global)}] = require(${JSON.stringify(start)});
})();`;
}
