// Film strip: a thumbnail per picture. Known thumbnails stay as they are when a longer list arrives.

class Filmstrip {
  constructor(strip, select) {
    this.strip = strip;
    this.select = select;
    this.thumbs = new Map();
  }

  update(pictures, current) {
    this.strip.hidden = pictures.length < 2;
    const thumbs = new Map();
    pictures.forEach((picture, index) => {
      const id = pictureId(picture, index);
      thumbs.set(id, this.thumbs.get(id) || this.thumb(picture, index));
    });
    for (const [id, thumb] of this.thumbs) if (!thumbs.has(id)) thumb.remove();
    this.thumbs = thumbs;
    [...thumbs.values()].forEach((thumb, index) => {
      if (this.strip.children[index] !== thumb) this.strip.insertBefore(thumb, this.strip.children[index] || null);
      if (index === current) thumb.setAttribute("aria-current", "true");
      else thumb.removeAttribute("aria-current");
    });
    this.reveal(this.strip.children[current]);
  }

  /** Not scrollIntoView: that would scroll the page as well. */
  reveal(thumb) {
    if (!thumb || this.strip.hidden) return;
    const left = thumb.offsetLeft - this.strip.offsetLeft;
    const right = left + thumb.offsetWidth;
    if (left < this.strip.scrollLeft) this.strip.scrollLeft = left - 8;
    else if (right > this.strip.scrollLeft + this.strip.clientWidth) {
      this.strip.scrollLeft = right - this.strip.clientWidth + 8;
    }
  }

  thumb(picture, index) {
    const button = make("button", "sc-thumb");
    button.type = "button";
    button.title = picture.name;
    const image = make("img", "");
    image.src = picture.image.url;
    image.alt = "";
    image.decoding = "async";
    image.loading = "lazy";
    button.append(image, make("span", "", picture.name));
    button.addEventListener("click", () => this.select(index));
    return button;
  }
}

/** What makes two pictures the same: Gradio's cache path holds a hash of the content. */
function pictureId(picture, index) {
  return [index, picture.name, picture.image.path, picture.planes.path, JSON.stringify(picture.meta)].join("|");
}
