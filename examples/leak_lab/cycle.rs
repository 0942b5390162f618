//! A body holds its own handle, by way of something that both know: each keeps the other.

use std::cell::RefCell;
use std::rc::Rc;

use watertight::{Co, LocalBoxGen, ScopedGen, generator, scope};

use super::meter::Meter;

/// What a widget knows: what it shows, and where that comes from.
struct Widget<G> {
    shown: RefCell<String>,
    source: RefCell<Option<G>>,
}

impl<G> Widget<G> {
    fn new() -> Rc<Self> {
        Rc::new(Widget { shown: RefCell::default(), source: RefCell::new(None) })
    }

    fn show(&self, text: &str) -> usize {
        let mut shown = self.shown.borrow_mut();
        shown.push_str(text);
        shown.len()
    }
}

pub fn mistake(meter: &mut Meter) {
    for _ in meter.items() {
        let widget: Rc<Widget<LocalBoxGen<'static, usize>>> = Widget::new();
        let shared = Rc::clone(&widget);
        let lengths = generator(async move |mut co: Co<usize>| {
            loop {
                let length = shared.show("more text");
                co.yield_(length).await;
            }
        });
        *widget.source.borrow_mut() = Some(lengths.boxed_local());
        let mut source = widget.source.borrow_mut();
        source.as_mut().expect("it is here").next();
        meter.tick();
    }
}

pub fn cure(meter: &mut Meter) {
    for _ in meter.items() {
        // The scope ends the body, which lets go of the widget, and that of the handle.
        scope(|s| {
            let widget: Rc<Widget<ScopedGen<'_, usize>>> = Widget::new();
            let shared = Rc::clone(&widget);
            let lengths = s.generator(async move |mut co: Co<usize>| {
                loop {
                    let length = shared.show("more text");
                    co.yield_(length).await;
                }
            });
            *widget.source.borrow_mut() = Some(lengths.erase());
            let mut source = widget.source.borrow_mut();
            source.as_mut().expect("it is here").next();
        });
        meter.tick();
    }
}
