// Where a photo can come from: dropped, pasted, chosen, taken.

const isPicture = (file) => file.type.startsWith("image/") || file.type === "";

export function listen(take, refuse) {
  const file = document.getElementById("file");
  const camera = document.getElementById("camera");
  const takeFirst = (files) => {
    const found = [...files].find(isPicture);
    if (found) take(found);
    else if (files.length) refuse(`${files[0].name} is no picture.`);
  };
  for (const input of [file, camera]) {
    input.addEventListener("change", () => {
      takeFirst(input.files);
      input.value = "";
    });
  }
  document.addEventListener("click", (event) => {
    const asked = event.target.closest("[data-choose]")?.dataset.choose;
    if (asked) (asked === "camera" ? camera : file).click();
  });
  document.addEventListener("paste", (event) => {
    const found = [...(event.clipboardData?.files || [])].find(isPicture);
    if (found) {
      event.preventDefault();
      take(found);
    }
  });
  listenToDrops(takeFirst);
}

function listenToDrops(takeFirst) {
  const cover = document.getElementById("cover");
  let depth = 0;
  const over = (by) => {
    depth = Math.max(0, depth + by);
    cover.hidden = depth === 0;
  };
  const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  document.addEventListener("dragenter", (event) => hasFiles(event) && over(1));
  document.addEventListener("dragleave", (event) => hasFiles(event) && over(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    over(0);
    takeFirst(event.dataTransfer?.files || []);
  });
}
