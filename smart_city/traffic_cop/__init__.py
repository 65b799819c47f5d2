"""The traffic cop: sessions, and who may go on under which."""
