//! The tree beside the definition of the RFC, and the vectors of the reference log.

use proptest::prelude::*;

use super::*;

fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// MTH as RFC 9162, section 2.1.1 writes it, of whatever leaves.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty(),
        [one] => *one,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            node(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|it| leaf(&it.to_be_bytes())).collect()
}

/// The hashes of ranges, as whoever keeps the log looks them up: by whole subtrees.
fn hashes(all: &[Hash], ranges: &[Range<u64>]) -> Vec<Hash> {
    let of = |it: &Subtree| {
        let (start, size) = ((it.number << it.level) as usize, 1 << it.level);
        mth(&all[start..start + size])
    };
    let one =
        |it: &Range<u64>| joined(&parts(it.clone()).iter().map(of).collect::<Vec<_>>()).unwrap();
    ranges.iter().map(one).collect()
}

fn hex(text: &str) -> Hash {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

/// The entries, roots and proofs that Certificate Transparency's reference log is tested with, and
/// with it most others.
#[test]
fn the_tree_of_the_reference_is_the_same_here() {
    let data = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let all: Vec<_> = data
        .iter()
        .map(|it| leaf(&data_encoding::HEXLOWER.decode(it.as_bytes()).unwrap()))
        .collect();
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut edge = Edge::default();
    for (number, root) in roots.iter().enumerate() {
        edge.push(all[number]);
        assert_eq!(edge.root(), hex(root), "of {} leaves", number + 1);
    }

    let path = hashes(&all, &inclusion(5, 8).unwrap());
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(path, expected.map(hex));
    let proof = hashes(&all, &consistency(6, 8).unwrap());
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(proof, expected.map(hex));
}

#[test]
fn each_leaf_of_each_small_tree_is_proven_and_nothing_else_is() {
    for size in 1..=40 {
        let all = leaves(size);
        let root = mth(&all);
        for number in 0..size {
            let proof = hashes(&all, &inclusion(number, size).unwrap());
            let it = all[number as usize];
            assert!(includes(&it, number, size, &proof, &root), "{number} of {size}");
            assert!(!includes(&it, (number + 1) % size.max(2), size, &proof, &root));
            assert!(!includes(&leaf(b"other"), number, size, &proof, &root));
            assert!(!includes(&it, number, size, &[&proof[..], &[it]].concat(), &root));
            if let Some((_, short)) = proof.split_last() {
                assert!(!includes(&it, number, size, short, &root));
            }
        }
        assert_eq!(inclusion(size, size), None);
    }
}

#[test]
fn each_size_goes_on_from_each_before_it_and_from_no_other() {
    let all = leaves(40);
    for to in 1..=40 {
        let larger = mth(&all[..to as usize]);
        for from in 1..=to {
            let root = mth(&all[..from as usize]);
            let proof = hashes(&all, &consistency(from, to).unwrap());
            assert!(goes_on(from, &root, to, &larger, &proof), "{from} to {to}");
            let other = leaf(b"other");
            assert!(!goes_on(from, &other, to, &larger, &proof));
            assert!(!goes_on(from, &root, to, &other, &proof) || from == to && root == other);
            for at in 0..proof.len() {
                let mut bad = proof.clone();
                bad[at][0] ^= 1;
                assert!(!goes_on(from, &root, to, &larger, &bad), "{from} to {to}, {at}");
            }
        }
    }
    assert_eq!(consistency(0, 5), None);
    assert_eq!(consistency(6, 5), None);
}

proptest! {
    #[test]
    fn the_edge_and_the_parts_are_the_tree(size in 0u64..700) {
        let all = leaves(size);
        let mut edge = Edge::default();
        all.iter().for_each(|it| edge.push(*it));

        prop_assert_eq!(edge.root(), mth(&all));
        prop_assert_eq!(edge.size(), size);
        if size > 0 {
            prop_assert_eq!(hashes(&all, std::slice::from_ref(&(0..size)))[0], mth(&all));
        }
    }

    #[test]
    fn an_edit_a_loss_and_a_swap_are_no_continuation(
        size in 2u64..200, to in 2u64..200, at in 0u64..200, kind in 0..3,
    ) {
        let (from, to) = (size.min(to), size.max(to));
        let honest = leaves(from);
        let mut all = leaves(to);
        let at = (at % from) as usize;
        match kind {
            0 => all[at] = leaf(b"edited"),
            1 => { all.remove(at); all.push(leaf(b"more")); }
            _ => { let next = (at + 1) % from as usize; all.swap(at, next); }
        }
        let proof = hashes(&all, &consistency(from, to).unwrap());

        prop_assert!(!goes_on(from, &mth(&honest), to, &mth(&all), &proof));
    }

    #[test]
    fn no_numbers_make_a_proof_panic(a: u64, b: u64, hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let _ = includes(&[0; 32], a, b, &hashes, &[1; 32]);
        let _ = goes_on(a, &[0; 32], b, &[1; 32], &hashes);
    }
}
