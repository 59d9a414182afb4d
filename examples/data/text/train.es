El Rin es un río que nace en los Alpes suizos y desemboca en el mar del Norte.
El joven río atraviesa el lago de Constanza antes de llegar a la cascada cercana a Schaffhausen.
En Basilea el río gira hacia el norte y se convierte en la frontera entre Francia y Alemania.
Ciudades importantes en sus orillas son Maguncia, Bonn, Colonia y Düsseldorf.
Durante mucho tiempo el Rin formó parte de la frontera del Imperio romano.
Hoy un canal une su afluente, el Meno, con el Danubio.
El Danubio es el segundo río más largo de Europa, después del Volga.
Nace en la Selva Negra, en el suroeste de Alemania, y termina en el mar Negro.
Muchos de sus afluentes del sur traen agua de las nieves de los Alpes.
En Austria el río pasa junto a la abadía de Melk y los viñedos de Wachau.
Johann Strauss hijo compuso el célebre vals El Danubio azul.
El delta del Danubio es el hogar de pelícanos y de muchas otras aves.
El Sena es un río del norte de Francia.
Nace en Borgoña, no lejos de la ciudad de Dijon.
El río atraviesa París y divide la ciudad en la orilla izquierda y la orilla derecha.
El Louvre y la torre Eiffel se alzan cerca de sus orillas.
La catedral de Notre Dame fue construida en una isla en medio del río.
El pintor impresionista Claude Monet pintó a menudo el Sena y su luz cambiante.
El Támesis fluye por el sur de Inglaterra, en el Reino Unido.
Pasa por Oxford, Reading y Windsor antes de llegar a Londres.
El río termina en el mar del Norte, igual que el Rin.
La marea todavía se nota en el centro de la capital.
El teatro del Globo, donde se representan obras de William Shakespeare, está en su orilla sur.
El Puente de la Torre abre sus dos mitades cuando deben pasar barcos altos.
El Yangtsé es el río más largo de Asia y el tercero más largo de la Tierra.
Fluye por completo en China, desde la meseta del Tíbet hasta el mar de la China Oriental.
Chongqing, Wuhan, Nankín y Shanghái son grandes ciudades situadas junto al río.
El río es más de dos veces más largo que el Danubio.
La presa de las Tres Gargantas utiliza su agua para producir electricidad.
En su curso inferior se cultiva arroz desde hace miles de años.
Los Alpes son una alta cordillera situada en el centro de Europa.
Se extienden en un amplio arco por Francia, Italia, Suiza, Alemania, Austria y otros países.
La cumbre más alta es el Mont Blanc, en la frontera entre Francia e Italia.
El Rin, el Ródano y el Po nacen todos en estas montañas.
Las montañas se formaron cuando la placa africana empujó contra la placa euroasiática.
El general Aníbal cruzó los Alpes con elefantes en su camino hacia Italia.
Alemania es un país de Europa central cuya capital es Berlín.
El país se extiende desde el mar del Norte y el mar Báltico hasta los Alpes.
El Rin, el Elba y el Danubio son sus ríos más conocidos.
En el siglo XV, Johannes Gutenberg, de Maguncia, empezó a imprimir allí libros con tipos móviles.
El país se reunificó en 1990, después de cuatro décadas de división.
El físico Albert Einstein nació en el sur del país, en Ulm.
Francia es un país de Europa occidental y su capital es París.
Limita con España, Italia, Suiza, Alemania y varios Estados más pequeños.
El Sena, el Loira, el Ródano y el Garona son sus grandes ríos.
La Revolución francesa comenzó en 1789 y cambió la historia de Europa.
Marie Curie, que nació en Polonia, hizo sus grandes descubrimientos en este país.
El francés es la lengua materna de la mayoría de las personas que viven allí.
España es un reino del suroeste de Europa y su capital es Madrid.
Comparte la península ibérica con Portugal, y los Pirineos la separan de Francia.
Las islas Canarias, en el Atlántico, y las islas Baleares, en el Mediterráneo, pertenecen al país.
Miguel de Cervantes escribió el Don Quijote, la novela más famosa del país.
Los pintores Velázquez, Goya y Picasso nacieron todos en España.
En 1492 Colón zarpó de sus costas y cruzó el océano Atlántico.
Italia es un país del sur de Europa cuya forma en el mapa parece una bota.
En el norte, los Alpes la separan de Francia, Suiza y Austria.
Las islas de Sicilia y Cerdeña también forman parte del país.
Su capital, Roma, fue en otro tiempo el centro del Imperio romano.
Leonardo da Vinci, el pintor de La Gioconda, y el astrónomo Galileo Galilei procedían de la Toscana.
El Vesubio, cerca de Nápoles, es un volcán que sepultó la ciudad de Pompeya.
China es un gran país de Asia oriental y su capital es Pekín.
Sus dos grandes ríos son el Yangtsé y el río Amarillo.
El Everest, la montaña más alta de la Tierra, se alza en su frontera con Nepal.
La Gran Muralla China fue construida para proteger el imperio de los ataques del norte.
El papel, la brújula y la pólvora se inventaron en la antigua China.
El pensador Confucio enseñó a sus alumnos sobre la virtud, el estudio y el buen gobierno.
Austria es un país de Europa central que tiene por capital Viena.
Entre sus ocho vecinos figuran Alemania, Suiza, Italia y Hungría.
Más de la mitad del país está cubierta por los Alpes.
El Danubio cruza el norte del país de oeste a este.
La familia de los Habsburgo gobernó el país durante más de seiscientos años.
Los compositores Wolfgang Amadeus Mozart y Haydn dieron a conocer su música en todas partes.
Suiza es un pequeño país en el corazón de Europa sin salida al mar.
La parte sur del país está dominada por las cumbres de los Alpes.
El Rin y el Ródano nacen ambos en las montañas suizas.
El país tiene cuatro lenguas nacionales: alemán, francés, italiano y romanche.
De joven, Albert Einstein trabajó en la oficina de patentes de Berna.
La Cruz Roja se fundó en Ginebra en el siglo XIX.
El Reino Unido es un país del noroeste de Europa y su capital es Londres.
Está formado por Inglaterra, Escocia, Gales e Irlanda del Norte.
El Támesis es el río más largo que fluye por completo en Inglaterra.
Las obras de William Shakespeare, como Hamlet, se representan en todo el mundo.
El científico Isaac Newton enseñó en la Universidad de Cambridge.
La Revolución Industrial comenzó en Gran Bretaña en el siglo XVIII.
Polonia es un país de Europa central y su capital es Varsovia.
Su vecino occidental es Alemania, de la que está separada por el Óder y el Neisse.
El Vístula recorre todo el país y llega al mar Báltico cerca de Gdansk.
Volvió a ser un Estado independiente después de la Primera Guerra Mundial.
Copérnico, que situó el Sol en el centro de los planetas, nació en Torun.
Marie Curie llamó polonio a un elemento en honor de Polonia, su país natal.
París es la capital de Francia y está situada a orillas del Sena.
La ciudad está dividida en veinte distritos, que se llaman arrondissements.
La torre Eiffel se construyó allí para la Exposición Universal de 1889.
Los visitantes acuden al Louvre para ver La Gioconda y miles de otras obras de arte.
Marie Curie estudió en la Sorbona y más tarde fue su primera profesora.
Los Juegos Olímpicos se celebraron en la ciudad en 1900, 1924 y 2024.
Londres es la capital del Reino Unido y de Inglaterra.
La ciudad fue fundada por los romanos a orillas del Támesis.
En 1666 un gran incendio destruyó buena parte de la ciudad antigua.
Isaac Newton está enterrado en la abadía de Westminster, donde fueron coronados muchos reyes y reinas.
William Shakespeare trabajó en la ciudad como actor y escribió sus obras para sus teatros.
El Real Observatorio de Greenwich dio nombre al meridiano cero de la Tierra.
Viena es la capital y la ciudad más grande de Austria.
Está situada junto al Danubio, en el extremo oriental de los Alpes.
Durante siglos la ciudad fue la residencia de los emperadores de Habsburgo.
En 1814 y 1815 los Estados de Europa se reunieron allí en un gran congreso de paz.
Wolfgang Amadeus Mozart pasó en la ciudad los últimos diez años de su vida.
Su ópera La flauta mágica se estrenó en un teatro de las afueras.
Salzburgo es una ciudad del oeste de Austria, cerca de la frontera con Alemania.
El río Salzach atraviesa la ciudad al pie de los Alpes.
Su nombre significa castillo de la sal y recuerda el antiguo comercio de la sal.
Una gran fortaleza situada en una colina domina el casco antiguo.
Más tarde dejó su ciudad natal y se trasladó a Viena.
Madrid es la capital de España y se encuentra cerca del centro del país.
La ciudad se alza en una meseta y la atraviesa el pequeño río Manzanares.
El rey Felipe II la convirtió en sede de su corte en 1561.
Miguel de Cervantes pasó sus últimos años en la ciudad y murió allí en 1616.
En una gran plaza, la plaza de España, se alzan estatuas de Don Quijote y Sancho Panza.
Pekín es la capital de China y se encuentra en el norte del país.
Su nombre significa capital del norte en chino.
Los emperadores de las dinastías Ming y Qing vivían en la Ciudad Prohibida.
El Gran Canal llevaba antiguamente a la ciudad el grano del valle del Yangtsé.
Los Juegos Olímpicos de Verano se celebraron allí en 2008 y los de Invierno en 2022.
En el antiguo observatorio de la ciudad se ven instrumentos con que se medían las estrellas y la Luna.
Colonia es una gran ciudad del oeste de Alemania.
Está situada en ambas orillas del Rin, río abajo de Maguncia y Bonn.
Los romanos fundaron la ciudad, y su nombre viene de la palabra latina que significa colonia.
La construcción de su catedral gótica comenzó en 1248 y no terminó hasta 1880.
El famoso perfume llamado agua de Colonia se fabricó por primera vez en la ciudad.
Cada año sus habitantes celebran el carnaval con coloridos desfiles por las calles.
Florencia es la capital de la Toscana, una región del centro de Italia.
El río Arno atraviesa la ciudad bajo varios puentes antiguos.
La familia Médici gobernó la ciudad y apoyó a sus artistas y sabios.
Leonardo da Vinci aprendió allí a pintar en el taller de Verrocchio.
La mujer de La Gioconda era probablemente la esposa de un mercader de la ciudad.
La gran cúpula de la catedral fue construida por Brunelleschi en el siglo XV.
Varsovia es la capital y la ciudad más grande de Polonia.
La ciudad está junto al Vístula, más o menos a medio camino entre las montañas y el mar Báltico.
Hacia el año 1600 sustituyó a Cracovia como sede real.
Durante la Segunda Guerra Mundial la ciudad fue casi completamente destruida por el ejército de Alemania.
El casco antiguo fue reconstruido después de la guerra y hoy es Patrimonio de la Humanidad.
Marie Curie nació en la ciudad en 1867 y la dejó en 1891 para estudiar en París.
Maguncia es una ciudad del oeste de Alemania, en la orilla izquierda del Rin.
Frente a la ciudad, el río Meno desemboca en la corriente mayor.
Los romanos levantaron allí un campamento, y aún se ven los restos de su teatro.
En la Edad Media su arzobispo era uno de los electores que escogían al rey.
Johannes Gutenberg nació en la ciudad e imprimió allí su famosa Biblia.
Marie Curie fue una física y química que estudió la radiactividad.
Nació en Varsovia, Polonia, el 7 de noviembre de 1867.
Cuatro años después se casó con Pierre Curie, un físico francés.
Juntos descubrieron el polonio y el radio en el año 1898.
Fue la primera persona que recibió dos premios Nobel.
Durante la Primera Guerra Mundial llevó coches con rayos X a los soldados heridos de Francia.
Wolfgang Amadeus Mozart fue uno de los más grandes compositores del siglo XVIII.
Nació en Salzburgo en 1756, hijo del músico Leopold Mozart.
De niño tocó el piano ante reyes y príncipes en París y Londres.
En 1781 se estableció en Viena, donde murió diez años después.
Escribió más de seiscientas obras, entre ellas sinfonías, conciertos y sonatas.
La flauta mágica se terminó solo unas semanas antes de su muerte.
Miguel de Cervantes fue un escritor y soldado de España.
Nació en 1547 en Alcalá de Henares, no lejos de Madrid.
De joven vivió algún tiempo en Italia.
En la batalla de Lepanto, en 1571, su mano izquierda quedó gravemente herida.
Las dos partes de su novela Don Quijote aparecieron en 1605 y 1615.
Murió en abril de 1616, el mismo mes que Shakespeare según los calendarios de sus países.
William Shakespeare fue un poeta y dramaturgo inglés.
Nació en Stratford-upon-Avon en 1564 y murió en la misma ciudad en 1616.
Pasó la mayor parte de su vida profesional en Londres, cerca del Támesis.
Su compañía actuó ante la reina Isabel y más tarde ante el rey Jacobo.
Hamlet, Macbeth, Otelo y El rey Lear son sus tragedias más conocidas.
También escribió ciento cincuenta y cuatro sonetos.
Leonardo da Vinci fue un pintor, ingeniero y sabio del Renacimiento.
Nació en 1452 cerca de la pequeña ciudad de Vinci, al oeste de Florencia.
Tras años en Milán y Roma, dejó Italia y siguió al rey de Francia.
Murió en 1519 en Amboise, en una casa cercana al castillo real.
Su cuadro más famoso es La Gioconda, que está expuesto en el Louvre.
En un convento de Milán pintó la Última Cena sobre una pared.
Galileo Galilei fue un astrónomo y físico de Italia.
En 1609 construyó un telescopio y lo dirigió hacia el cielo nocturno.
Vio montañas en la Luna y manchas oscuras en el Sol.
En enero de 1610 descubrió cuatro grandes lunas que giran alrededor de Júpiter.
La Iglesia lo juzgó en 1633 porque enseñaba que la Tierra se mueve.
Pasó sus últimos años bajo vigilancia en su casa cerca de la ciudad.
Isaac Newton fue un físico, matemático y astrónomo inglés.
Estudió en Cambridge y más tarde dirigió la Real Casa de la Moneda en Londres.
Su ley de la gravitación explica por qué la Luna gira alrededor de la Tierra.
La misma ley describe cómo se mueven los planetas alrededor del Sol.
Con un prisma de vidrio demostró que la luz blanca contiene todos los colores.
Más de dos siglos después, Einstein corrigió su imagen de la gravedad con la teoría de la relatividad.
Albert Einstein fue un físico que se hizo famoso por la teoría de la relatividad.
Nació el 14 de marzo de 1879 en Ulm, una ciudad de Alemania junto al Danubio.
Estudió en la escuela politécnica de Zúrich y se hizo ciudadano de Suiza.
En 1905 publicó cuatro artículos que cambiaron la física.
Su teoría general sustituyó la fuerza gravitatoria de Newton por la curvatura del espacio y del tiempo.
Recibió el Premio Nobel de Física de 1921 por explicar el efecto fotoeléctrico.
Johannes Gutenberg fue un orfebre e impresor que vivió en el siglo XV.
Nació en Maguncia, Alemania, y también trabajó unos años en Estrasburgo.
Fundía letras sueltas de metal que se podían componer una y otra vez.
Para su imprenta aprovechó la idea de la prensa de vino del valle del Rin.
Un rico burgués, Johann Fust, le prestó dinero y más tarde lo llevó ante los tribunales.
Su arte llegó pronto a Italia, Francia y España.
La flauta mágica es una ópera en dos actos de Mozart.
Se estrenó en Viena, la capital de Austria, el 30 de septiembre de 1791.
Emanuel Schikaneder escribió el texto alemán y cantó él mismo el papel de Papageno.
El compositor, natural de Salzburgo, murió solo dos meses después del estreno.
El príncipe Tamino busca a Pamina, la hija de la Reina de la Noche.
Al final sale el Sol y la oscuridad queda vencida.
Don Quijote es una novela del escritor español Cervantes.
La primera parte se imprimió en Madrid en 1605, y la segunda siguió diez años después.
El héroe ha leído tantas historias antiguas que se cree un caballero.
Con su escudero Sancho Panza cabalga por las secas llanuras de España.
En una escena famosa ataca unos molinos de viento porque los toma por gigantes.
El libro fue pronto traducido en Londres y en París.
Hamlet es una tragedia que Shakespeare escribió hacia el año 1600.
La obra cuenta la historia de un príncipe de Dinamarca en el castillo de Elsinor.
El fantasma de su padre pide al príncipe que vengue su asesinato.
El asesino es su tío Claudio, que ahora lleva la corona.
Su discurso que empieza con las palabras ser o no ser se conoce en todas partes.
Teatros del Reino Unido, de Alemania y de China siguen representando la obra.
La Gioconda es el retrato de una mujer sonriente pintado por Leonardo da Vinci.
El pintor lo empezó en Florencia, Italia, poco después del año 1500.
En 1911 un obrero lo robó del Louvre de París.
Dos años más tarde el cuadro fue hallado y devuelto al museo.
El retrato está pintado al óleo sobre una tabla de madera de álamo.
Detrás de la mujer se ve un paisaje con caminos sinuosos y un puente.
El Louvre es un gran museo de arte en el centro de París.
El edificio se alza en la orilla derecha del Sena y fue en otro tiempo un palacio real.
Comenzó como una fortaleza que protegía la ciudad hacia el año 1200.
El museo se abrió al público en 1793, durante la Revolución.
Su tesoro más famoso es La Gioconda de Leonardo da Vinci.
Una pirámide de cristal le sirve de entrada principal desde 1989.
La torre Eiffel es una torre de hierro situada en París, la capital de Francia.
Lleva el nombre del ingeniero Gustave Eiffel, cuya empresa la construyó.
Las obras empezaron en enero de 1887 y duraron poco más de dos años.
Durante unos cuarenta años fue la construcción más alta de la Tierra.
Desde sus plataformas se ven el Sena y los tejados del Louvre.
Desde su cima se emiten señales de radio desde hace más de un siglo.
La Gran Muralla China es una cadena de muros y torres en el norte de China.
Debía proteger el país de los jinetes de las estepas del norte.
El primer emperador, Qin Shi Huang, mandó unir murallas más antiguas.
La mayoría de las partes visibles hoy se construyeron bajo la dinastía Ming.
Muchos visitantes viajan desde Pekín hasta el tramo restaurado de Badaling.
Es una de las construcciones más largas que los seres humanos han levantado en la Tierra.
La Tierra es el tercer planeta a partir del Sol y el hogar de toda la vida conocida.
Necesita unos 365 días para dar una vuelta alrededor de su estrella.
Alrededor del setenta por ciento de su superficie está cubierto por océanos.
Montañas como los Alpes se levantan donde chocan las placas de su corteza.
Tiene un satélite natural, la Luna, que causa las mareas.
El planeta Júpiter es más de diez veces más ancho que la Tierra.
La Luna es el único satélite natural de la Tierra.
No brilla por sí misma, sino que refleja la luz del Sol.
En un eclipse solar pasa entre los dos y oculta la luz del día.
Con su telescopio, Galileo reconoció montañas y cráteres en su superficie.
Newton comprendió que la gravedad la mantiene en su camino.
El 20 de julio de 1969 Neil Armstrong y Buzz Aldrin se posaron allí.
El Sol es la estrella situada en el centro de nuestro sistema solar.
Da a la Tierra la luz y el calor que necesitan las plantas y los animales.
Su luz tarda algo más de ocho minutos en llegar hasta nosotros.
Es unas mil veces más pesado que Júpiter, el planeta más grande.
En 1919 se aprovechó un eclipse de Sol para comprobar la teoría de la relatividad.
Galileo observó que unas manchas oscuras se mueven lentamente por su disco.
Júpiter es el quinto planeta a partir del Sol y el mayor de todos.
Es una bola de gas y no tiene suelo firme como la Tierra.
El planeta necesita casi doce años para completar su camino alrededor de la estrella.
Ío, Europa, Ganimedes y Calisto fueron descubiertas por Galileo en 1610.
Tres de estos cuatro satélites son mayores que la Luna.
El planeta lleva el nombre del dios supremo de los romanos.
El radio es un elemento químico radiactivo de símbolo Ra y número 88.
Es un metal blanco plateado que brilla débilmente en la oscuridad.
Marie Curie y su marido Pierre descubrieron el elemento en París en 1898.
Tuvieron que tratar toneladas de pechblenda para obtener una cantidad minúscula.
Antiguamente, en Suiza y en otros lugares, las esferas pintadas con él podían leerse de noche.
Los médicos usaban su radiación contra el cáncer antes de disponer de fuentes más seguras.
La teoría de la relatividad describe el espacio, el tiempo y la gravedad y fue creada por Albert Einstein.
Consta de dos partes, que se llaman teoría especial y teoría general.
La teoría especial se publicó en 1905, cuando su autor vivía en Suiza.
La teoría general siguió diez años más tarde en Alemania.
Ninguna señal puede viajar más rápido que la luz en el vacío.
La luz de las estrellas lejanas se desvía cuando pasa cerca del Sol.
La ley de la gravitación de Newton sigue siendo una buena aproximación para los cuerpos lentos.
Una imprenta es una máquina que presiona letras entintadas sobre el papel.
En Europa la introdujo Johannes Gutenberg, de Maguncia, hacia el año 1450.
Antes de esa época, casi todos los libros europeos se copiaban a mano.
En China se imprimía con bloques de madera tallados muchos siglos antes.
Desde Alemania, la nueva máquina se extendió a Italia, Francia y los demás países de Europa.
William Caxton instaló la primera de Inglaterra, no lejos del centro de Londres.
