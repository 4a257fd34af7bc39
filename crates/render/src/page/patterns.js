// Covers the top and the bottom of an empty page with rows of noise, so that a frame with them can be recognized in memory.
// Drawn again with other seeds, they replace the ones before.
((given) => {
  'use strict';
  const { width, height, scale, rows, seeds } = given;
  const canvases = window.__fwPatterns || Array.from(seeds, (_, i) => {
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = rows;
    const top = i === 0 ? 0 : height - rows;
    canvas.style.cssText = `position: fixed; left: 0; top: ${top / scale}px; width: ${width / scale}px; height: ${rows / scale}px; image-rendering: pixelated`;
    document.documentElement.append(canvas);
    return canvas;
  });
  window.__fwPatterns = canvases;
  seeds.forEach((seed, i) => {
    const context = canvases[i].getContext('2d', { willReadFrequently: true });
    const image = context.createImageData(width, rows);
    const pixels = new Uint32Array(image.data.buffer);
    let state = seed;
    for (let at = 0; at < pixels.length; at += 1) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      pixels[at] = (state | 0xff000000) >>> 0;
    }
    context.putImageData(image, 0, 0);
  });
  return true;
})
