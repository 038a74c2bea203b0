//! One request of an instance wakes another.
//!
//! On Spin each request is a task of the component, and a waker of one does nothing for another: a
//! stream that ends does. On Workers requests that came by themselves must not wait for each other,
//! as the runtime ends those; those of one object may.

use std::pin::Pin;

/// Rings when it is dropped.
pub struct Bell {
    #[cfg(target_os = "wasi")]
    _ends: spin_sdk::wasip3::wit_bindgen::StreamWriter<u8>,
    #[cfg(not(target_os = "wasi"))]
    _ends: futures_channel::oneshot::Sender<()>,
}

/// Until a bell rings.
pub type Rung = Pin<Box<dyn Future<Output = ()>>>;

/// A bell, and what waits until it rings.
#[cfg(target_os = "wasi")]
pub fn bell() -> (Bell, Rung) {
    let (ends, mut heard) = spin_sdk::wasip3::wit_stream::new::<u8>();
    let rung = async move {
        heard.next().await;
    };
    (Bell { _ends: ends }, Box::pin(rung))
}

/// A bell, and what waits until it rings.
#[cfg(not(target_os = "wasi"))]
pub fn bell() -> (Bell, Rung) {
    let (ends, heard) = futures_channel::oneshot::channel();
    let rung = async move {
        // It is never sent anything: that it ends is what is heard.
        let _ = heard.await;
    };
    (Bell { _ends: ends }, Box::pin(rung))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn it_rings_when_it_is_dropped_and_not_before() {
        let (bell, mut rung) = bell();

        assert!((&mut rung).now_or_never().is_none());
        drop(bell);
        assert!(rung.now_or_never().is_some());
    }
}
