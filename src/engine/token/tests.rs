//! What a token keeps, and what it notices.
