// What the pages do beyond links and forms: times in the viewer's zone, news without a reload,
// keys, and texts that are not lost. Every page works without it.
(() => {
  'use strict';
  const $ = (sel, root = document) => root.querySelector(sel);
  const all = (sel, root = document) => Array.from(root.querySelectorAll(sel));

  // ---- times
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
  const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
  const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
  const year = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
  const ago = (s) => {
    if (s < 5) return 'now';
    if (s < 60) return `${Math.floor(s)} s ago`;
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    return `${Math.floor(s / 3600)} h ago`;
  };
  const words = (at, kind) => {
    const now = new Date();
    const s = (now - at) / 1000;
    if (kind === 'ago' && s < 86400) return ago(Math.max(0, s));
    if (s >= 0 && s < 3600) return ago(s);
    if (at.toDateString() === now.toDateString()) return clock.format(at);
    const date = (at.getFullYear() === now.getFullYear() ? day : year).format(at);
    return kind === 'full' ? `${date}, ${clock.format(at)}` : date;
  };
  const times = (root = document) => {
    for (const el of all('time[datetime]', root)) {
      const at = new Date(el.dateTime);
      if (Number.isNaN(+at)) continue;
      const text = words(at, el.dataset.as || 'short');
      if (el.textContent !== text) el.textContent = text;
      if (!el.title) el.title = exact.format(at);
    }
  };
  let ticks = 0;
  setInterval(() => {
    ticks += 1;
    if (document.hidden) return;
    if (ticks % 15 === 0) times();
    else all('time[data-as="ago"]').forEach((el) => times(el.parentNode));
  }, 1000);

  // ---- texts that are not sent yet
  const store = {
    get(k) { try { return localStorage.getItem(k); } catch { return null; } },
    set(k, v) { try { if (v === null) localStorage.removeItem(k); else localStorage.setItem(k, v); } catch { /* full or off */ } },
  };
  const keyOf = (el) => `replyd:${el.dataset.keep}`;
  const dirty = (root = document) => all('[data-keep]', root).some((el) => el.value !== el.defaultValue);
  let leaving = false;
  const keep = (root = document) => {
    for (const el of all('[data-keep]', root)) {
      if (el.dataset.kept) continue;
      el.dataset.kept = '1';
      const saved = store.get(keyOf(el));
      if (saved !== null && saved !== el.value) {
        el.value = saved;
        const note = $('[data-kept-note]', el.form);
        if (note) note.hidden = false;
        const fold = el.closest('details');
        if (fold) fold.open = true;
      }
      el.addEventListener('input', () => store.set(keyOf(el), el.value === el.defaultValue ? null : el.value));
    }
  };
  document.addEventListener('submit', (e) => {
    const form = e.target;
    const button = e.submitter;
    if (button && button.dataset.confirm && !confirm(button.dataset.confirm)) { e.preventDefault(); return; }
    if (form.dataset.sent) { e.preventDefault(); return; }
    if (form.method !== 'post') return;
    form.dataset.sent = '1';
    all('[data-keep]', form).forEach((el) => store.set(keyOf(el), null));
    leaving = !all('[data-keep]').some((el) => el.form !== form && el.value !== el.defaultValue);
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  });
  addEventListener('beforeunload', (e) => { if (!leaving && dirty()) e.preventDefault(); });
  document.addEventListener('change', (e) => { if (e.target.matches('[data-go]')) e.target.form.requestSubmit(); });
  // A mail's HTML is loaded only when it is asked for.
  document.addEventListener('toggle', (e) => {
    const frame = e.target.open && $('iframe[data-src]', e.target);
    if (frame) { frame.src = frame.dataset.src; frame.removeAttribute('data-src'); }
  }, true);

  // ---- news
  const say = (text) => {
    const live = $('#live');
    if (live) live.textContent = text;
  };
  const was = new Map(all('[data-fragment]').map((el) => [el.id, el.innerHTML]));
  const busy = (el) => el.contains(document.activeElement) && el.matches('[data-busy]') || dirty(el);
  const swap = (fresh) => {
    for (const el of all('[data-fragment]')) {
      const next = fresh.getElementById(el.id);
      if (!next || next.innerHTML === was.get(el.id)) continue;
      if (busy(el)) continue;
      const focus = document.activeElement && el.contains(document.activeElement) ? document.activeElement.id : '';
      const open = all('details[open][id]', el).map((d) => d.id);
      const known = new Set(all('[data-item]', el).map((i) => i.dataset.item));
      const html = next.innerHTML;
      el.replaceChildren(...next.childNodes);
      was.set(el.id, html);
      for (const id of open) { const d = document.getElementById(id); if (d) d.open = true; }
      if (known.size) all('[data-item]', el).forEach((i) => { if (!known.has(i.dataset.item)) i.classList.add('arrived'); });
      if (focus) { const f = document.getElementById(focus); if (f) f.focus({ preventScroll: true }); }
      keep(el);
      times(el);
    }
    if (fresh.title) document.title = fresh.title;
  };
  let asked = false, again = false;
  const refresh = async () => {
    if (asked) { again = true; return; }
    asked = true;
    try {
      const got = await fetch(location.href, { headers: { 'X-Replyd-Refresh': '1' }, credentials: 'same-origin' });
      if (got.redirected && got.url.includes('/sign-in')) { location.assign(got.url); return; }
      if (got.ok) swap(new DOMParser().parseFromString(await got.text(), 'text/html'));
    } catch { /* the next event, or the next minute */ }
    asked = false;
    if (again) { again = false; soon(); }
  };
  let timer = 0;
  const soon = () => { clearTimeout(timer); timer = setTimeout(refresh, 120); };
  const root = document.body.dataset;
  if (root.live !== undefined && 'EventSource' in window) {
    const mine = root.conversation || '';
    const source = new EventSource(root.live);
    const heard = (e) => {
      let data = {};
      try { data = JSON.parse(e.data); } catch { /* a comment */ }
      const about = String(data.campaign_lead_id || '');
      if (mine && about && about !== mine) return;
      if (e.type === 'new_reply') say(mine ? 'A reply has come in' : 'A new reply has come in');
      soon();
    };
    for (const kind of ['message', 'new_reply', 'classified', 'queued', 'sent', 'failed', 'draft', 'goal_reached', 'opt_out', 'bounce', 'account_state', 'changed']) {
      source.addEventListener(kind, heard);
    }
    let lost = false;
    source.onerror = () => { lost = true; };
    source.onopen = () => { if (lost) { lost = false; soon(); } };
    setInterval(() => { if (!document.hidden) refresh(); }, 60000);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) soon(); });
    addEventListener('pagehide', () => source.close());
    addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
  }

  // ---- keys
  const help = $('#keys');
  const on = () => store.get('replyd:keys') !== 'off';
  const box = $('#keys-on');
  if (box) {
    box.checked = on();
    box.addEventListener('change', () => store.set('replyd:keys', box.checked ? null : 'off'));
  }
  all('[data-keys]').forEach((el) => { el.hidden = false; el.addEventListener('click', () => help && help.showModal()); });
  const step = (by) => {
    const rows = all('[data-row]');
    if (!rows.length) return;
    const at = rows.findIndex((r) => r === document.activeElement || r.contains(document.activeElement));
    const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by))];
    next.focus();
    next.scrollIntoView({ block: 'nearest' });
  };
  const goTo = (sel) => {
    const el = $(sel);
    if (!el) return;
    const fold = el.closest('details');
    if (fold) fold.open = true;
    el.focus();
    el.scrollIntoView({ block: 'center' });
  };
  let prefix = false;
  document.addEventListener('keydown', (e) => {
    const typing = e.target.closest('input, textarea, select, [contenteditable]');
    if ((e.ctrlKey || e.metaKey) && e.key === 'Enter' && e.target.form) {
      const main = $('button.primary', e.target.form);
      if (main) { e.preventDefault(); main.form.requestSubmit(main); }
      return;
    }
    if (e.key === 'Escape' && typing) { typing.blur(); return; }
    if (typing || e.ctrlKey || e.metaKey || e.altKey || !on() || (help && help.open)) return;
    if (prefix) {
      prefix = false;
      const to = { i: '/', c: '/campaigns', l: '/leads', u: '/unmatched', s: '/state' }[e.key];
      if (to) { e.preventDefault(); location.assign(to); }
      return;
    }
    const keys = {
      j: () => step(1),
      k: () => step(-1),
      g: () => { prefix = true; setTimeout(() => { prefix = false; }, 1500); },
      '/': () => goTo('#q'),
      '?': () => help && help.showModal(),
      u: () => { const back = $('[data-back]'); if (back) back.click(); },
      r: () => goTo('[data-write]'),
      e: () => goTo('[data-handled]'),
    };
    if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  });

  times();
  keep();
  const last = $('[data-scroll]');
  if (last && !location.hash) last.scrollIntoView({ block: 'center' });
})();
