// Values of types with padding, for test_layouts.py.  `make BYTE` writes each into memory full of that byte and prints
// its bytes; `check` reads such lines and says of each whether it is still the value.

use std::env::args;
use std::hint::black_box;
use std::io::{stdin, BufRead};
use std::mem::{size_of, MaybeUninit};
use std::num::{NonZeroU16, NonZeroU64};

const ADDRESS: u64 = 0x7fff_1234_5678_9ab0;

fn address() -> NonZeroU64 {
    NonZeroU64::new(ADDRESS).unwrap()
}

#[derive(PartialEq)]
struct Flag(bool, u64, bool);

#[derive(PartialEq)]
struct Nested {
    one: Flag,
    small: u16,
    more: [(u8, u32); 3],
}

#[derive(PartialEq)]
#[repr(C)]
struct InOrder(u8, u64, u16, u32, u8);

#[derive(PartialEq)]
enum Kind {
    Nothing,
    Small(u8),
    Large { a: u64, b: u8, c: u64 },
    Inner(Option<NonZeroU64>, bool),
}

#[derive(PartialEq)]
enum Plain {
    First = -3,
    Second = 7,
}

#[derive(PartialEq)]
enum Single {
    Only(u8, u64),
}

type Loaded = (Option<u64>, NonZeroU64, Option<u64>);

macro_rules! cases {
    ($($name:ident: $type:ty = $value:expr;)*) => {
        $(#[used] static $name: MaybeUninit<$type> = MaybeUninit::uninit();)*

        fn make_all(fill: u8) {
            $(show(stringify!($name), make::<$type>($value, fill));)*
        }

        fn check(name: &str, bytes: &[u8]) -> bool {
            match name {
                $(stringify!($name) => same::<$type>(&$value, bytes),)*
                _ => false,
            }
        }
    };
}

cases! {
    FLAG: Flag = Flag(true, ADDRESS, false);
    NESTED: Nested = Nested { one: Flag(true, 1, true), small: 2, more: [(1, 2), (3, 4), (5, 6)] };
    IN_ORDER: InOrder = InOrder(1, ADDRESS, 2, 3, 4);
    NONE: Option<u64> = None;
    SOME: Option<u64> = Some(ADDRESS);
    NICHE_NONE: Option<NonZeroU64> = None;
    NICHE_SOME: Option<NonZeroU64> = Some(address());
    NO_BOOL: Option<bool> = None;
    NO_FLAG: Option<Flag> = None;
    NO_NICHE: Option<(NonZeroU16, u64)> = None;
    LOADED: Loaded = (None, address(), Some(5));
    KIND_NOTHING: Kind = Kind::Nothing;
    KIND_SMALL: Kind = Kind::Small(9);
    KIND_LARGE: Kind = Kind::Large { a: ADDRESS, b: 1, c: 2 };
    KIND_INNER: Kind = Kind::Inner(None, true);
    OK: Result<u8, Kind> = Ok(1);
    ERR: Result<u8, Kind> = Err(Kind::Small(1));
    PLAIN: (Plain, u64) = (Plain::First, 1);
    PLAIN_NONE: (Option<Plain>, Plain) = (None, Plain::Second);
    SINGLE: Single = Single::Only(1, 2);
    LETTER: (char, u8, Option<char>) = ('ä', 1, None);
    WIDE: (u128, u8) = (1 << 100, 1);
    NESTED_NONE: Option<Option<Option<u8>>> = Some(None);
    FLOAT: (f32, f64, bool) = (1.5, -2.5, true);
    EMPTY: ((), u8, [u64; 0]) = ((), 1, []);
}

#[inline(never)]
fn make<T>(value: T, fill: u8) -> Vec<u8> {
    let mut place = Box::new(MaybeUninit::<T>::uninit());
    let start = black_box(place.as_mut_ptr());
    unsafe {
        std::ptr::write_bytes(start as *mut u8, fill, size_of::<T>());
        black_box(start).write(value);
        let start = black_box(start) as *const u8;
        (0..size_of::<T>()).map(|i| start.add(i).read_volatile()).collect()
    }
}

fn same<T: PartialEq>(value: &T, bytes: &[u8]) -> bool {
    let mut place = Box::new(MaybeUninit::<T>::uninit());
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_mut_ptr() as *mut u8, bytes.len());
        bytes.len() == size_of::<T>() && black_box(place.as_ptr()).read() == *value
    }
}

fn show(name: &str, bytes: Vec<u8>) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{name} {hex}");
}

fn main() {
    let words: Vec<String> = args().collect();
    if words[1] == "make" {
        return make_all(words[2].parse().unwrap());
    }
    for line in stdin().lock().lines().map(Result::unwrap) {
        let (name, hex) = line.split_once(' ').unwrap();
        let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        println!("{name} {}", check(name, &bytes));
    }
}
