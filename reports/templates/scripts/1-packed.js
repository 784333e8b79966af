// Unpacks what reports/packed.py packed.
{
  window.reportUnpack = async (block) => {
    const bytes = Uint8Array.from(atob(block.textContent), (character) => character.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(plain).text());
  };

  // A promise of { charts, data }: each chart's specification by the name of its place, each table's rows by their name.
  // Unpacked once and at once: a chart that is drawn for the printer cannot wait.
  window.reportPacked = window.reportUnpack(document.getElementById("packed"));
  // Who needs it says what is missing then.
  window.reportPacked.catch(() => {});
}
