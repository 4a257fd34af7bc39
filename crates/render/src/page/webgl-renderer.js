(() => {
  const gl = document.createElement('canvas').getContext('webgl');
  if (!gl) return { vendor: '', renderer: 'no WebGL' };
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return {
    vendor: String(gl.getParameter(info ? info.UNMASKED_VENDOR_WEBGL : gl.VENDOR)).trim(),
    renderer: String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER)).trim(),
  };
})()
