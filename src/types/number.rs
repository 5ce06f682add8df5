/// Declares a number type of the specification with a constant and a name for each of its values.
macro_rules! numbers {
    (
        $(#[$meta:meta])*
        $name:ident, $prefix:literal { $($row:ident = $number:literal,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        #[allow(missing_docs)] // The specification says what each of them is.
        impl $name {
            $(pub const $row: Self = Self($number);)*
        }

        impl $name {
            /// Every number of the specification with its name there.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$row, concat!($prefix, stringify!($row))),)*];

            /// The specification's name; `None` for a number that it does not have.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                let index = Self::ALL.binary_search_by_key(&self, |(number, _)| *number).ok()?;
                Self::ALL.get(index).map(|(_, name)| *name)
            }

            /// The number with this name, with or without the prefix.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                let bare = name.strip_prefix($prefix).unwrap_or(name);
                Self::ALL.iter().find(|(_, known)| known.strip_prefix($prefix) == Some(bare)).map(|(number, _)| *number)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}0x{:08x}", $prefix, self.0),
                }
            }
        }

        #[cfg(test)]
        mod tests {
            use super::$name;

            #[test]
            fn the_rows_stand_in_the_order_of_their_numbers() {
                assert!($name::ALL.is_sorted_by(|a, b| a.0 < b.0), "binary search needs the order");
            }

            #[test]
            fn every_name_leads_back_to_its_number() {
                for &(number, name) in $name::ALL {
                    assert_eq!($name::from_name(name), Some(number), "{name}");
                    assert_eq!(number.to_string(), name);
                }
            }
        }
    };
}
pub(crate) use numbers;
