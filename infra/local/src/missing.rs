//! Interfaces that a component imports and this host lacks: calling one ends the request.

use wasmtime::{
    Engine,
    component::{Component, Linker, LinkerInstance, ResourceType, types},
};

use crate::state::State;

/// What `state::link` provides.
const PROVIDED: &[&str] = &[
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/types@0.3",
    "wasi:http/client@0.3",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
    "spin:key-value/key-value@3",
    "spin:redis/redis@3",
    "spin:sqlite/sqlite@3",
    "spin:variables/variables@3",
];

/// Links traps in the place of what is missing, and says what that is.
///
/// `Linker::define_unknown_imports_as_traps` also stubs the aliases of types, which then differ
/// from the types that they stand for; so each function is linked by itself.
pub fn link(
    engine: &Engine,
    linker: &mut Linker<State>,
    component: &Component,
) -> wasmtime::Result<Vec<String>> {
    let mut missing = vec![];
    for (name, import) in component.component_type().imports(engine) {
        let types::ComponentItem::ComponentInstance(interface) = import.ty else { continue };
        if PROVIDED.iter().any(|provided| name.starts_with(provided)) {
            continue;
        }
        let mut instance = linker.instance(name)?;
        for (item, export) in interface.exports(engine) {
            link_trap(&mut instance, name, item, export.ty)?;
        }
        missing.push(name.to_owned());
    }
    Ok(missing)
}

fn link_trap(
    instance: &mut LinkerInstance<'_, State>,
    interface: &str,
    item: &str,
    kind: types::ComponentItem,
) -> wasmtime::Result<()> {
    let name = format!("{interface}#{item}");
    let trap = move || Err(wasmtime::format_err!("backplane-local does not implement {name}"));
    match kind {
        types::ComponentItem::ComponentFunc(function) if function.async_() => instance
            .func_new_concurrent(item, move |_, _, _, _| {
                let trapped = trap();
                Box::pin(async move { trapped })
            }),
        types::ComponentItem::ComponentFunc(_) => instance.func_new(item, move |_, _, _, _| trap()),
        types::ComponentItem::Resource(_) => {
            instance.resource(item, ResourceType::host::<()>(), |_, _| Ok(()))
        }
        _ => Ok(()),
    }
}
