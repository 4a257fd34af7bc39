// An animated picture: five colours of a fifth of a second each, without end, transparent in its right half.

const colours = [[230, 57, 70], [42, 157, 143], [69, 123, 157], [233, 196, 106], [131, 56, 236]];
const draw = (n) => {
  const pixels = Buffer.alloc(80 * 40 * 4);
  for (let i = 0; i < 80 * 40; i += 1) if (i % 80 < 40) pixels.set([...colours[n], 255], i * 4);
  return pixels;
};

export const list = [
  {
    file: 'colours.gif',
    frames: { format: 'rgba', width: 80, height: 40, fps: 5, count: colours.length, draw },
    args: ['{frames}', '-filter_complex', 'split[a][b];[a]palettegen=reserve_transparent=1[p];[b][p]paletteuse=dither=none', '-loop', '0'],
    to: ['projects/gif/vendor/colours.gif'],
  },
];
