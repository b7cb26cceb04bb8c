# Drives libtorrent 2 for tests and benchmarks: "run SOURCE DIR PEER,PEER [SETTING=VALUE]..." or "make FORMAT PIECE_LENGTH ANNOUNCE OUT PATH", or "state SOURCE DIR", or
# "show SOURCE".
import os
import sys

import libtorrent as lt

settings = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "announce_to_all_trackers": True,
    "announce_to_all_tiers": True,
    "allow_multiple_connections_per_ip": True,
    "in_enc_policy": 1,  # both plain and encrypted are taken
    "out_enc_policy": 2,  # plain is dialled
    "alert_mask": lt.alert.category_t.status_notification
    | lt.alert.category_t.error_notification
    | lt.alert.category_t.storage_notification
    | lt.alert.category_t.performance_warning,
    "alert_queue_size": 100000,
}


def run(source, folder, peer):
    if source.startswith("magnet:"):
        params = lt.parse_magnet_uri(source)
    else:
        params = lt.add_torrent_params()
        params.ti = lt.torrent_info(source)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    for key in sys.argv[5:]:
        name, value = key.split("=")
        settings[name] = int(value) if value.isdigit() else value
    session = lt.session(settings)
    print("listening", session.listen_port())
    handle = session.add_torrent(params)
    for address in peer.split(",") if peer else []:
        host, port = address.rsplit(":", 1)
        handle.connect_peer((host, int(port)))
    while True:
        session.wait_for_alert(60000)
        for a in session.pop_alerts():
            print(a)
            if isinstance(a, lt.torrent_finished_alert):
                handle.flush_cache()  # "finished" comes before the last blocks are written
            if isinstance(a, lt.cache_flushed_alert):
                print("complete")


def make(form, piece_length, announce, out, path):
    flags = {
        "v1": lt.create_torrent.v1_only,
        "v1-pads": lt.create_torrent.v1_only | lt.create_torrent.canonical_files,
        "v2": lt.create_torrent.v2_only,
        "hybrid": 0,
    }[form]
    files = lt.file_storage()
    lt.add_files(files, path)
    torrent = lt.create_torrent(files, int(piece_length), flags)
    if announce:
        torrent.add_tracker(announce)
    lt.set_piece_hashes(torrent, os.path.dirname(os.path.abspath(path)))
    with open(out, "wb") as f:
        f.write(lt.bencode(torrent.generate()))


# What libtorrent writes to remember a torrent, and a session.
def state(source, folder):
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(source)
    params.save_path = folder
    session = lt.session(settings)
    handle = session.add_torrent(params)
    handle.save_resume_data(lt.save_resume_flags_t.save_info_dict)
    resume = None
    while not resume:
        session.wait_for_alert(60000)
        for a in session.pop_alerts():
            if isinstance(a, lt.save_resume_data_alert):
                resume = lt.write_resume_data_buf(a.params)
    with open(os.path.join(folder, "resume"), "wb") as f:
        f.write(resume)
    with open(os.path.join(folder, "session"), "wb") as f:
        f.write(lt.bencode(session.save_state()))
    os._exit(0)  # now and then the library crashes when it is taken down on a busy machine


def show(source):
    limits = {"max_pieces": 10**7, "max_decode_tokens": 10**7, "max_buffer_size": 10**9}
    info = lt.torrent_info(source, limits)
    files = info.files()
    print(info.name(), info.info_hash(), info.total_size(), info.num_pieces())
    print("".join("%d %s\n" % (files.file_size(i), files.file_path(i)) for i in range(files.num_files())))


{"run": lambda a: run(*a[:3]), "make": lambda a: make(*a), "state": lambda a: state(*a), "show": lambda a: show(*a)}[sys.argv[1]](sys.argv[2:])
