//! The objects of the file, as PDF/A-3 wants them.

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};
use pdf_writer::{
    Chunk, Date, Filter, Finish as _, Name, Pdf, Rect, Ref, Settings, Str, TextStr,
    types::{CidFontType, FontFlags, OutputIntentSubtype, SystemInfo, UnicodeCmap},
    writers::Catalog,
};
use sha2::{Digest as _, Sha256};

use crate::{
    About, Attachment, Error,
    canvas::{BOLD, Canvas, HEIGHT, REGULAR, WIDTH},
    font::Font,
    metadata::{self, printable},
    tags::Tags,
};

/// sRGB, made by Little CMS; see `fonts/README.md`. What gray and black are is defined by it.
static PROFILE: &[u8] = include_bytes!("../fonts/sRGB.icc");
/// zlib's own default: a step further costs twice the time for a hundredth of the size.
const DEFLATE_LEVEL: u8 = 6;
const SYSTEM: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The numbers of the objects that are there once.
struct Ids {
    catalog: Ref,
    info: Ref,
    pages: Ref,
    metadata: Ref,
    profile: Ref,
    structure: Ref,
    parents: Ref,
    file: Ref,
    file_spec: Ref,
    fonts: [Ref; 2],
}

/// Hands out numbers of objects.
struct Numbers(i32);

impl Numbers {
    fn next(&mut self) -> Ref {
        self.many(1)
    }

    /// The first of some in a row.
    fn many(&mut self, count: usize) -> Ref {
        let first = self.0;
        self.0 = first.saturating_add(i32::try_from(count).unwrap_or(i32::MAX));
        Ref::new(first)
    }
}

/// Writes the file.
///
/// # Errors
/// When the fonts or the metadata fail, which is a mistake of ours.
pub fn write(canvas: Canvas, about: &About<'_>) -> Result<Vec<u8>, Error> {
    let mut numbers = Numbers(1);
    let mut next = || numbers.next();
    let ids = Ids {
        catalog: next(),
        info: next(),
        pages: next(),
        metadata: next(),
        profile: next(),
        structure: next(),
        parents: next(),
        file: next(),
        file_spec: next(),
        fonts: [next(), next()],
    };
    let pages: Vec<Ref> = canvas.pages.iter().map(|_| numbers.next()).collect();
    let elements = numbers.many(canvas.tags.len());

    let mut pdf = Pdf::with_settings(Settings { pretty: false });
    catalog(&mut pdf, &ids, about);
    info(&mut pdf, &ids, about);
    structure(&mut pdf, &ids, &canvas, elements, &pages);
    for (id, font) in ids.fonts.iter().zip([&canvas.fonts.regular, &canvas.fonts.bold]) {
        write_font(&mut pdf, &mut numbers, *id, font)?;
    }
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(ids.pages).kids(pages.iter().copied()).count(count);
    for (index, (page, id)) in canvas.pages.into_iter().zip(&pages).enumerate() {
        let stream = numbers.next();
        compressed(&mut pdf, stream, page.content.finish().as_slice());
        write_page(&mut pdf, &ids, *id, index, stream);
    }
    let xmp = metadata::write(about)?;
    pdf.metadata(ids.metadata, xmp.as_bytes());
    let profile = deflated(PROFILE);
    pdf.icc_profile(ids.profile, &profile).n(3).filter(Filter::FlateDecode);
    if let Some(it) = &about.attachment {
        attachment(&mut pdf, &ids, about.made, it);
    }
    // The same content has the same id, any other content another.
    let id: Vec<u8> = Sha256::digest(pdf.as_bytes()).iter().take(16).copied().collect();
    pdf.set_file_id((id.clone(), id));
    Ok(pdf.finish())
}

fn catalog(pdf: &mut Pdf, ids: &Ids, about: &About<'_>) {
    let mut catalog: Catalog<'_> = pdf.catalog(ids.catalog);
    catalog.pages(ids.pages).metadata(ids.metadata).lang(TextStr(about.lang));
    catalog.mark_info().marked(true);
    catalog.pair(Name(b"StructTreeRoot"), ids.structure);
    catalog.viewer_preferences().display_doc_title(true);
    let mut intents = catalog.output_intents();
    let mut intent = intents.push();
    intent.subtype(OutputIntentSubtype::PDFA);
    intent.output_condition_identifier(TextStr("sRGB"));
    intent.registry_name(TextStr("http://www.color.org"));
    intent.info(TextStr("sRGB IEC61966-2.1"));
    intent.dest_output_profile(ids.profile);
    intent.finish();
    intents.finish();
    if let Some(it) = &about.attachment {
        catalog.names().embedded_files().names().insert(Str(it.name.as_bytes()), ids.file_spec);
        catalog.insert(Name(b"AF")).array().item(ids.file_spec);
    }
}

fn info(pdf: &mut Pdf, ids: &Ids, about: &About<'_>) {
    let mut info = pdf.document_info(ids.info);
    // The same as in the XMP.
    info.title(TextStr(&printable(about.title)));
    info.creator(TextStr(metadata::TOOL)).producer(TextStr(metadata::TOOL));
    info.creation_date(date(about.made)).modified_date(date(about.made));
}

/// The tree of tags, and the way from a page back to it.
fn structure(pdf: &mut Pdf, ids: &Ids, canvas: &Canvas, elements: Ref, pages: &[Ref]) {
    let mut root = pdf.indirect(ids.structure).dict();
    root.pair(Name(b"Type"), Name(b"StructTreeRoot"));
    root.pair(Name(b"K"), Tags::object(Tags::ROOT, elements));
    root.pair(Name(b"ParentTree"), ids.parents);
    root.pair(Name(b"ParentTreeNextKey"), i32::try_from(pages.len()).unwrap_or(i32::MAX));
    root.finish();
    let mut tree = pdf.indirect(ids.parents).dict();
    let mut all = tree.insert(Name(b"Nums")).array();
    for (index, page) in (0..).zip(&canvas.pages) {
        all.item(index);
        let marks = page.marks.iter().map(|it| Tags::object(*it, elements));
        all.push().array().items(marks);
    }
    all.finish();
    tree.finish();
    canvas.tags.write(pdf, ids.structure, elements, pages);
}

fn write_page(pdf: &mut Pdf, ids: &Ids, id: Ref, index: usize, stream: Ref) {
    let mut page = pdf.page(id);
    page.parent(ids.pages).media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).contents(stream);
    page.struct_parents(i32::try_from(index).unwrap_or(i32::MAX));
    let [regular, bold] = ids.fonts;
    page.resources().fonts().pair(REGULAR, regular).pair(BOLD, bold);
}

/// A font by the numbers of its glyphs, and what they stand for.
fn write_font(pdf: &mut Pdf, numbers: &mut Numbers, id: Ref, font: &Font) -> Result<(), Error> {
    let [cid, descriptor, data, unicode] =
        [numbers.next(), numbers.next(), numbers.next(), numbers.next()];
    let subset = font.subset()?;
    let name = format!("{}+{}", prefix(&subset), font.name);
    let name = Name(name.as_bytes());
    pdf.type0_font(id)
        .base_font(name)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(cid)
        .to_unicode(unicode);

    let mut cid_font = pdf.cid_font(cid);
    cid_font.subtype(CidFontType::Type2).base_font(name).system_info(SYSTEM);
    cid_font.font_descriptor(descriptor).default_width(0.0);
    cid_font.cid_to_gid_map_predefined(Name(b"Identity"));
    let mut widths = cid_font.widths();
    for (glyph, (_, width)) in &font.used {
        widths.consecutive(*glyph, [*width]);
    }
    widths.finish();
    cid_font.finish();

    let ([left, bottom, right, top], [ascent, descent, capitals]) = (font.bounds(), font.heights());
    pdf.font_descriptor(descriptor)
        .name(name)
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(left, bottom, right, top))
        .italic_angle(0.0)
        .ascent(ascent)
        .descent(descent)
        .cap_height(capitals)
        .stem_v(font.stem)
        .font_file2(data);
    let length = i32::try_from(subset.len()).unwrap_or(i32::MAX);
    let deflated = deflated(&subset);
    let mut stream = pdf.stream(data, &deflated);
    stream.filter(Filter::FlateDecode).pair(Name(b"Length1"), length);
    stream.finish();

    let mut cmap = UnicodeCmap::new(Name(b"Custom"), SYSTEM);
    for (glyph, (letter, _)) in &font.used {
        cmap.pair(*glyph, *letter);
    }
    compressed(pdf, unicode, cmap.finish().as_slice());
    Ok(())
}

/// Six capital letters that tell subsets of one font apart.
fn prefix(subset: &[u8]) -> String {
    Sha256::digest(subset).iter().take(6).map(|it| char::from(b'A' + it % 26)).collect()
}

fn attachment(pdf: &mut Pdf, ids: &Ids, made: NaiveDateTime, it: &Attachment<'_>) {
    let deflated = deflated(it.bytes);
    let mut file = pdf.embedded_file(ids.file, &deflated);
    file.subtype(Name(it.media.as_bytes())).filter(Filter::FlateDecode);
    let size = i32::try_from(it.bytes.len()).unwrap_or(i32::MAX);
    file.params().size(size).modification_date(date(made));
    file.finish();
    let mut spec = pdf.file_spec(ids.file_spec);
    spec.path(Str(it.name.as_bytes())).unic_file(TextStr(it.name));
    spec.description(TextStr(it.description)).embedded_file_with_unicode(ids.file);
    spec.association_kind(it.relation);
}

fn compressed(chunk: &mut Chunk, id: Ref, bytes: &[u8]) {
    let deflated = deflated(bytes);
    chunk.stream(id, &deflated).filter(Filter::FlateDecode);
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(bytes, DEFLATE_LEVEL)
}

/// A moment, universal time.
fn date(made: NaiveDateTime) -> Date {
    let number = |it: u32| u8::try_from(it).unwrap_or_default();
    Date::new(u16::try_from(made.year()).unwrap_or_default())
        .month(number(made.month()))
        .day(number(made.day()))
        .hour(number(made.hour()))
        .minute(number(made.minute()))
        .second(number(made.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}
