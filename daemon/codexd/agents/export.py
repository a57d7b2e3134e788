def to_yaml(d):
    return ""
