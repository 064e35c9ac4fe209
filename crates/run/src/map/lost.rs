//! What becomes of a mapped page that the system can't bring: of a file that was cut, on a disk that fails.
//!
//! The system sends SIGBUS, which ends a process that does nothing about it, a server with all its work. Here a page
//! of zeros takes the place of the one that is lost, the work goes on, and its map says that it is not whole: who
//! has read from it throws away what was made of it. Signals of other memory go to whoever handled them before.

use std::ffi::c_int;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many maps are watched over at once; a process may have some 65,000 of all kinds.
const MOST: usize = 1 << 14;

/// A map, or none where it starts at 0.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    has_lost: AtomicBool,
}

static SLOTS: [Slot; MOST] = [const {
    Slot {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        has_lost: AtomicBool::new(false),
    }
}; MOST];

/// What handled the signal before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// A map that is watched over until this is dropped.
pub(super) struct Watched(Option<usize>);

impl Watched {
    /// Watches over the map at these addresses.
    pub(super) fn new(map: Range<usize>) -> Self {
        handle();
        let free = SLOTS.iter().position(|slot| {
            // What is no address holds the place until the rest is there.
            let taken =
                slot.start
                    .compare_exchange(0, usize::MAX, Ordering::AcqRel, Ordering::Relaxed);
            taken.is_ok()
        });
        if let Some(slot) = free.and_then(|at| SLOTS.get(at)) {
            slot.has_lost.store(false, Ordering::Relaxed);
            slot.end.store(map.end, Ordering::Relaxed);
            slot.start.store(map.start, Ordering::Release);
        }
        Self(free)
    }

    /// Whether a page was lost so far.
    pub(super) fn has_lost(&self) -> bool {
        let slot = self.0.and_then(|at| SLOTS.get(at));
        slot.is_some_and(|slot| slot.has_lost.load(Ordering::Acquire))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(slot) = self.0.and_then(|at| SLOTS.get(at)) {
            slot.start.store(0, Ordering::Release);
        }
    }
}

/// Handles the signal from now on.
#[expect(unsafe_code, reason = "signals are handled by C functions")]
fn handle() {
    BEFORE.get_or_init(|| {
        // SAFETY: plain calls with pointers to values of ours; the handler keeps to what a signal's may do.
        unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE);
            PAGE.store(usize::try_from(page).unwrap_or(4096), Ordering::Relaxed);
            let mut before: libc::sigaction = std::mem::zeroed();
            libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut before);
            let mut ours: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = on_signal as *const () as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut ours.sa_mask);
            libc::sigaction(libc::SIGBUS, &raw const ours, std::ptr::null_mut());
            before
        }
    });
}

#[expect(unsafe_code, reason = "a signal's handler is called by the system")]
extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system gives a valid pointer to a handler with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    if replace_page(address) {
        return;
    }
    // SAFETY: what was there before is called as it was registered. The default is set again and takes effect
    // when the access that failed is made once more.
    unsafe {
        match BEFORE.get() {
            Some(before)
                if before.sa_sigaction != libc::SIG_DFL && before.sa_sigaction != libc::SIG_IGN =>
            {
                if before.sa_flags & libc::SA_SIGINFO == 0 {
                    let handler: extern "C" fn(c_int) = std::mem::transmute(before.sa_sigaction);
                    handler(signal);
                } else {
                    type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void);
                    let handler: Handler = std::mem::transmute(before.sa_sigaction);
                    handler(signal, info, context);
                }
            }
            _ => {
                libc::signal(libc::SIGBUS, libc::SIG_DFL);
            }
        }
    }
}

/// Puts a page of zeros at an address of a map of ours; says whether that was done. It takes no lock and no memory.
#[expect(unsafe_code, reason = "a page takes the place of another")]
fn replace_page(address: usize) -> bool {
    let is_at = |slot: &&Slot| {
        let start = slot.start.load(Ordering::Acquire);
        start != 0 && (start..slot.end.load(Ordering::Relaxed)).contains(&address)
    };
    let Some(slot) = SLOTS.iter().find(is_at) else {
        return false;
    };
    let size = PAGE.load(Ordering::Relaxed);
    let start = address & !(size - 1);
    slot.has_lost.store(true, Ordering::Release);
    // SAFETY: the page is part of a map that we have for reading, and stays so until it is unmapped as a whole.
    let page = unsafe {
        libc::mmap(
            start as *mut libc::c_void,
            size,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    page != libc::MAP_FAILED
}
