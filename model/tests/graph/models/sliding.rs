//! The sliding puzzle on a board of two rows and three columns, from the solved position: half of the 720 arrangements
//! can be reached (Johnson and Story, 1879), the farthest in 21 moves.

use stateright::{Model, Property};

pub struct Sliding;

const COLUMNS: usize = 3;
const CELLS: usize = 2 * COLUMNS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slide {
    Left,
    Right,
    Across,
}

impl Model for Sliding {
    type State = [u8; CELLS];
    type Action = Slide;

    fn init_states(&self) -> Vec<Self::State> {
        vec![[1, 2, 3, 4, 5, 0]]
    }

    fn actions(&self, _: &Self::State, actions: &mut Vec<Slide>) {
        actions.extend([Slide::Left, Slide::Right, Slide::Across]);
    }

    fn next_state(&self, board: &Self::State, slide: Slide) -> Option<Self::State> {
        let gap = board.iter().position(|&tile| tile == 0)?;
        let from = match slide {
            Slide::Left => (gap % COLUMNS + 1 < COLUMNS).then_some(gap + 1)?,
            Slide::Right => (gap % COLUMNS > 0).then(|| gap - 1)?,
            Slide::Across => (gap + COLUMNS) % CELLS,
        };
        let mut board = *board;
        board.swap(gap, from);
        Some(board)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no tile is lost", |_, board: &[u8; CELLS]| {
                (0..CELLS as u8).all(|tile| board.contains(&tile))
            }),
            Property::sometimes("the last row comes first", |_, board| *board == [4, 5, 0, 1, 2, 3]),
            Property::sometimes("the gap comes first", |_, board: &[u8; CELLS]| board[0] == 0),
            Property::sometimes("two tiles are swapped", |_, board| *board == [2, 1, 3, 4, 5, 0]),
        ]
    }
}
