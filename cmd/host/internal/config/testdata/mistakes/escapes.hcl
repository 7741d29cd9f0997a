nat = "up[31mnp"
# ‮ hidden
log_]0;ownedlevel = 3
