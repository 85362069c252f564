#!/bin/sh
# Works the camera inside v4l2_vm.sh, as `vivid WORD`. /dev/video0 is a 640x480 webcam with a moving counter on it.
d=/dev/video0 c="v4l2-ctl -d /dev/video0 -c"
plug() { busybox insmod /run/modules/vivid.ko n_devs=1 "$@"; }
unplug() { [ -e $d ] && $c disconnect=1; for i in $(seq 100); do busybox rmmod vivid 2>/dev/null && return; sleep 0.1; done; echo "still open" >&2; exit 1; }
case $1 in
stall)  $c percentage_of_dropped_buffers=100 ;;                 # select() times out
go)     $c percentage_of_dropped_buffers=0,test_pattern=0,osd_text_mode=0 ;;
freeze) $c osd_text_mode=2 ;;                                   # no counter: every frame is the same
black)  $c test_pattern=5,osd_text_mode=2 ;;
lose)   $c disconnect=1 ;;                                      # ENODEV for who has it open; a new open works again
unplug) unplug ;;                                               # /dev/video0 goes, once its reader has let go
plug)   plug node_types=0x1 num_inputs=1 input_types=0 ;;
*) sed -n 's/^\([a-z]*\)) .*/\1/p' "$0"; exit 2 ;;
esac
